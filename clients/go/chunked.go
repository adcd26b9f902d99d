package groundswell

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

const manifestStart = `{"kind":"chunked"`

var (
	chunkKey      = regexp.MustCompile("^[01]\x00(0|[1-9][0-9]{0,2})$")
	digits        = regexp.MustCompile("^[0-9a-f]{64}$")
	errIncomplete = errors.New("chunks are missing")
)

// isOf says whether a record's key is that of the value under key, or of a chunk of it.
func isOf(key, name string) bool {
	return name == key || (strings.HasPrefix(name, key+"\x00") && chunkKey.MatchString(name[len(key)+1:]))
}

// whole returns the value under key from the newest record of each key, or errIncomplete.
func whole(key string, records map[string][]byte) ([]byte, error) {
	head := records[key]
	if !bytes.HasPrefix(head, []byte(manifestStart)) {
		return head, nil
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
	var value []byte
	for number := 0; number < *chunks; number++ {
		piece := records[fmt.Sprintf("%s\x00%d\x00%d", key, *slot, number)]
		if piece == nil {
			return nil, errIncomplete
		}
		value = append(value, piece...)
	}
	if digest(value) != manifest.SHA256 {
		return nil, errIncomplete
	}
	return value, nil
}
