package groundswell

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

var errUnsigned = errors.New("it is signed by none of the keys that are trusted")

// signatures believes records of a topic that one of some public keys has signed; without keys, all.
type signatures struct {
	topic   string // as what is signed names it: "policies" or "controls"
	trusted []ed25519.PublicKey
}

// newSignatures reads public keys (PEM).
func newSignatures(topic string, trusted [][]byte) (signatures, error) {
	found := signatures{topic: topic}
	for _, text := range trusted {
		block, _ := pem.Decode(text)
		if block == nil {
			return found, errors.New("a public key is not PEM")
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return found, err
		}
		public, right := key.(ed25519.PublicKey)
		if !right {
			return found, errors.New("a public key is not one of Ed25519")
		}
		found.trusted = append(found.trusted, public)
	}
	return found, nil
}

// demand returns errUnsigned where none of the keys has signed a record.
func (by signatures) demand(key, value []byte, signatures [][]byte) error {
	if by.trusted == nil {
		return nil
	}
	content := []byte(fmt.Sprintf("groundswell-record-1\n%s\n0\n%d\n", by.topic, len(key)))
	content = append(append(content, key...), value...)
	for _, public := range by.trusted {
		for _, signature := range signatures {
			if ed25519.Verify(public, content, signature) {
				return nil
			}
		}
	}
	return errUnsigned
}
