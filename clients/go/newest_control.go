package groundswell

import (
	"fmt"
	"log"
	"sync"
)

// NewestControl is the control of one model among the records of the topic "controls", and the policy beside it.
// It may be used by several goroutines.
type NewestControl struct {
	model      string
	besideKey  string
	signatures signatures
	mutex      sync.RWMutex
	records    map[string][]byte
	beside     *Policy
	acting     Acting
	refused    int
}

// NewNewestControl follows a model. With public keys (PEM), records that none of them has signed are passed over.
func NewNewestControl(model string, trusted ...[]byte) (*NewestControl, error) {
	by, err := newSignatures("controls", trusted)
	if err != nil {
		return nil, err
	}
	return &NewestControl{model: model, besideKey: model + "\x00pinned", signatures: by, records: map[string][]byte{}}, nil
}

// Acting returns what to act by at this moment: by no policy, until ReadToItsEnd was called.
func (newest *NewestControl) Acting() Acting {
	newest.mutex.RLock()
	defer newest.mutex.RUnlock()
	return newest.acting
}

// Refused returns how many records were passed over that are no controls, or older ones.
func (newest *NewestControl) Refused() int {
	newest.mutex.RLock()
	defer newest.mutex.RUnlock()
	return newest.refused
}

// ReadToItsEnd says that the topic has been read to its end, or that there is none: from now on policies decide.
func (newest *NewestControl) ReadToItsEnd() {
	newest.mutex.Lock()
	defer newest.mutex.Unlock()
	newest.acting.known = true
}

// Offer takes in one record. Key and value are nil where the record's are null; signatures are the values of its headers
// "signature".
func (newest *NewestControl) Offer(key, value []byte, signatures [][]byte) {
	newest.mutex.Lock()
	defer newest.mutex.Unlock()
	name := string(key)
	if key == nil || value == nil || (name != newest.model && !isOf(newest.besideKey, name)) {
		return
	}
	err := newest.signatures.demand(key, value, signatures)
	if err == nil {
		err = newest.take(name, value)
	}
	if err != nil {
		newest.refused++
		log.Printf("passed over a control of %s: %v", newest.model, err)
	}
}

func (newest *NewestControl) take(name string, value []byte) error {
	control := newest.acting.Control
	switch name {
	case newest.model:
		found, err := readControl(newest.model, value)
		if err != nil {
			return err
		}
		if control != nil && found.Version < control.Version {
			return fmt.Errorf("version %d is older than that in force, %d", found.Version, control.Version)
		}
		control = found
	default:
		newest.records[name] = value
		if name != newest.besideKey {
			return nil
		}
		content, err := whole(name, newest.records)
		if err != nil {
			return err
		}
		policy, err := read(newest.model, content)
		if err != nil {
			return err
		}
		newest.beside = policy
	}
	newest.acting = newest.acting.by(control, newest.beside)
	return nil
}
