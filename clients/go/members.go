package groundswell

import (
	"encoding/json"
	"errors"
	"fmt"
)

// members are those of an object by their very names: encoding/json would take "Bits" for "bits".
type members map[string]json.RawMessage

func membersOf(text []byte, required, optional []string) (members, error) {
	var found members
	if err := json.Unmarshal(text, &found); err != nil {
		return nil, err
	}
	known := 0
	for _, name := range required {
		if _, there := found[name]; !there {
			return nil, fmt.Errorf("the member %s is missing", name)
		}
		known++
	}
	for _, name := range optional {
		if _, there := found[name]; there {
			known++
		}
	}
	if known != len(found) {
		return nil, errors.New("a member that is not known: update the reader")
	}
	return found, nil
}

// into reads members that are there, none of which may be null.
func (found members) into(places map[string]any) error {
	for name, place := range places {
		text, there := found[name]
		if !there {
			continue
		}
		if isNull(text) {
			return fmt.Errorf("%s is null", name)
		}
		if err := json.Unmarshal(text, place); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func isNull(text json.RawMessage) bool { return string(text) == "null" }
