package groundswell

import (
	"errors"
	"log"
	"sync"
)

// NewestPolicy is the newest policy of one model among the records of the topic "policies", whatever client reads them.
// It may be used by several goroutines.
type NewestPolicy struct {
	model      string
	signatures signatures
	mutex      sync.RWMutex
	records    map[string][]byte
	policy     *Policy
	refused    int
}

// NewNewestPolicy follows a model. With public keys (PEM), records that none of them has signed are passed over.
func NewNewestPolicy(model string, trusted ...[]byte) (*NewestPolicy, error) {
	by, err := newSignatures("policies", trusted)
	if err != nil {
		return nil, err
	}
	return &NewestPolicy{model: model, signatures: by, records: map[string][]byte{}}, nil
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
	if key == nil || !isOf(newest.model, name) {
		return false
	}
	if value != nil {
		if err := newest.signatures.demand(key, value, signatures); err != nil {
			return newest.passOver(err)
		}
	}
	newest.records[name] = value
	if name != newest.model || value == nil {
		return false
	}
	content, err := whole(name, newest.records)
	if errors.Is(err, errIncomplete) {
		return false
	}
	if err != nil {
		return newest.passOver(err)
	}
	policy, err := read(newest.model, content)
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
