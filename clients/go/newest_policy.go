package groundswell

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"regexp"
	"sync"
)

const manifestStart = `{"kind":"chunked"`

var (
	chunkKey      = regexp.MustCompile("^[01]\x00(0|[1-9][0-9]{0,2})$")
	digits        = regexp.MustCompile("^[0-9a-f]{64}$")
	errIncomplete = errors.New("chunks are missing")
)

// NewestPolicy is the newest policy of one model among the records of the topic "policies", whatever client reads them.
// It may be used by several goroutines.
type NewestPolicy struct {
	model   string
	trusted []ed25519.PublicKey
	mutex   sync.RWMutex
	records map[string][]byte
	policy  *Policy
	refused int
}

// NewNewestPolicy follows a model. With public keys (PEM), records that none of them has signed are passed over.
func NewNewestPolicy(model string, trusted ...[]byte) (*NewestPolicy, error) {
	newest := &NewestPolicy{model: model, records: map[string][]byte{}}
	for _, text := range trusted {
		block, _ := pem.Decode(text)
		if block == nil {
			return nil, errors.New("a public key is not PEM")
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		public, right := key.(ed25519.PublicKey)
		if !right {
			return nil, errors.New("a public key is not one of Ed25519")
		}
		newest.trusted = append(newest.trusted, public)
	}
	return newest, nil
}

// Policy returns the one to decide by: nil, which does by chance, until there is one.
func (newest *NewestPolicy) Policy() *Policy {
	newest.mutex.RLock()
	defer newest.mutex.RUnlock()
	return newest.policy
}

// Refused returns how many records were passed over that no worker publishes.
func (newest *NewestPolicy) Refused() int {
	newest.mutex.RLock()
	defer newest.mutex.RUnlock()
	return newest.refused
}

// Offer takes in one record and returns whether it completes a newer policy. Key and value are nil where the record's
// are null; signatures are the values of its headers "signature".
func (newest *NewestPolicy) Offer(key, value []byte, signatures [][]byte) bool {
	newest.mutex.Lock()
	defer newest.mutex.Unlock()
	name := string(key)
	if key == nil || (name != newest.model && !newest.isChunk(name)) {
		return false
	}
	if value != nil && newest.trusted != nil && !newest.trusts(key, value, signatures) {
		return newest.passOver(errors.New("it is signed by none of the keys that are trusted"))
	}
	newest.records[name] = value
	if name != newest.model || value == nil {
		return false
	}
	policy, err := newest.whole(value)
	if errors.Is(err, errIncomplete) {
		return false
	}
	if err != nil {
		return newest.passOver(err)
	}
	if newest.policy != nil && policy.Version <= newest.policy.Version {
		return false
	}
	newest.policy = policy
	return true
}

func (newest *NewestPolicy) passOver(why error) bool {
	newest.refused++
	log.Printf("passed over a policy of %s: %v", newest.model, why)
	return false
}

func (newest *NewestPolicy) isChunk(key string) bool {
	start := len(newest.model) + 1
	return len(key) > start && key[:start] == newest.model+"\x00" && chunkKey.MatchString(key[start:])
}

// whole returns the policy under the model's key, or errIncomplete.
func (newest *NewestPolicy) whole(head []byte) (*Policy, error) {
	if !bytes.HasPrefix(head, []byte(manifestStart)) {
		return read(newest.model, head)
	}
	var manifest struct {
		Slot, Chunks *int
		SHA256       string
	}
	if err := json.Unmarshal(head, &manifest); err != nil {
		return nil, fmt.Errorf("not a manifest of chunks: %w", err)
	}
	slot, chunks := manifest.Slot, manifest.Chunks
	if slot == nil || chunks == nil || *slot < 0 || *slot > 1 || *chunks < 1 || *chunks > 1000 ||
		!digits.MatchString(manifest.SHA256) {
		return nil, errors.New("not a manifest of chunks")
	}
	var document []byte
	for number := 0; number < *chunks; number++ {
		piece := newest.records[fmt.Sprintf("%s\x00%d\x00%d", newest.model, *slot, number)]
		if piece == nil {
			return nil, errIncomplete
		}
		document = append(document, piece...)
	}
	if digest(document) != manifest.SHA256 {
		return nil, errIncomplete
	}
	return read(newest.model, document)
}

func (newest *NewestPolicy) trusts(key, value []byte, signatures [][]byte) bool {
	content := []byte(fmt.Sprintf("groundswell-record-1\npolicies\n0\n%d\n", len(key)))
	content = append(append(content, key...), value...)
	for _, public := range newest.trusted {
		for _, signature := range signatures {
			if ed25519.Verify(public, content, signature) {
				return true
			}
		}
	}
	return false
}
