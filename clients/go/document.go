package groundswell

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

var (
	required = []string{
		"schema_version", "kind", "model", "version", "parent", "features", "bits", "context_crosses", "shared_weights",
		"exploration", "bandit", "inverse_kinematics", "configuration", "checksum",
	}
	optional = []string{"constant_beside_numbers", "in_doubt", "lineage"}
	ranges   = map[string][2]float64{"epsilon-greedy": {0, 1}, "squarecb": {0, 1e100}, "softmax": {1e-100, 1e100}}
)

const mostWeight = 1e100

type table struct {
	indices []uint32
	values  []float64
}

// read returns the policy of a model in a document, or why nothing may be decided by it.
func read(model string, content []byte) (*Policy, error) {
	if !utf8.Valid(content) {
		return nil, errors.New("not UTF-8")
	}
	found, err := membersOf(content, required, optional)
	if err != nil {
		return nil, err
	}
	var schema int
	var kind, of, features, configuration, checksum, lineage string
	var version int64
	var bits uint
	policy := &Policy{doubtful: map[uint32]bool{}, weights: map[uint32]float64{}}
	if err := found.into(map[string]any{
		"schema_version": &schema, "kind": &kind, "model": &of, "version": &version, "features": &features, "bits": &bits,
		"context_crosses": &policy.crosses, "shared_weights": &policy.shared, "configuration": &configuration,
		"checksum": &checksum, "constant_beside_numbers": &policy.besideNumbers, "lineage": &lineage,
	}); err != nil {
		return nil, err
	}
	policy.Version = version
	policy.mask = uint32(uint64(1)<<(bits&63) - 1)
	switch {
	case schema != 1 || kind != "policy":
		return nil, fmt.Errorf("%q of schema %d, not a policy of schema 1", kind, schema)
	case !bytes.HasSuffix(content, []byte(checksum+`"}`)) || len(checksum) != 64 || digest(unsigned(content)) != checksum:
		return nil, errors.New("the checksum does not fit")
	case of != model:
		return nil, fmt.Errorf("a policy of %.100q under the key of %q", of, model)
	case version < 0:
		return nil, fmt.Errorf("the version %d", version)
	case bits < 1 || bits > 32:
		return nil, fmt.Errorf("%d bits", bits)
	}
	if err := policy.explore(found["exploration"]); err != nil {
		return nil, err
	}
	if err := policy.doubt(found["in_doubt"]); err != nil {
		return nil, err
	}
	bandit, err := weights(found["bandit"], policy.mask)
	if err != nil {
		return nil, err
	}
	for at, index := range bandit.indices {
		policy.weights[index] = bandit.values[at]
	}
	if text := found["inverse_kinematics"]; !isNull(text) {
		if _, err := weights(text, policy.mask); err != nil {
			return nil, err
		}
	}
	if text := found["parent"]; !isNull(text) {
		var parent int64
		if err := json.Unmarshal(text, &parent); err != nil || parent < 0 {
			return nil, fmt.Errorf("the parent %.100s", text)
		}
	}
	return policy, nil
}

func (policy *Policy) explore(text json.RawMessage) error {
	found, err := membersOf(text, []string{"kind", "parameter"}, nil)
	if err != nil {
		return err
	}
	if err := found.into(map[string]any{"kind": &policy.kind, "parameter": &policy.parameter}); err != nil {
		return err
	}
	within, known := ranges[policy.kind]
	if !known || policy.parameter < within[0] || policy.parameter > within[1] {
		return fmt.Errorf("%.100q with the parameter %g", policy.kind, policy.parameter)
	}
	return nil
}

func (policy *Policy) doubt(text json.RawMessage) error {
	if text == nil {
		return nil
	}
	found, err := membersOf(text, []string{"floor", "features"}, nil)
	if err != nil {
		return err
	}
	if err := found.into(map[string]any{"floor": &policy.floor}); err != nil {
		return err
	}
	if policy.floor < 0 || policy.floor > 1 {
		return fmt.Errorf("the floor %g", policy.floor)
	}
	features, err := ascending(found["features"])
	for _, hash := range features {
		policy.doubtful[hash] = true
	}
	return err
}

func weights(text json.RawMessage, mask uint32) (table, error) {
	found, err := membersOf(text, []string{"indices", "values"}, nil)
	if err != nil {
		return table{}, err
	}
	indices, err := ascending(found["indices"])
	if err != nil {
		return table{}, err
	}
	var values []*float64
	if err := json.Unmarshal(found["values"], &values); err != nil || len(indices) != len(values) {
		return table{}, fmt.Errorf("%d indices of %d weights (%v)", len(indices), len(values), err)
	}
	if len(indices) > 0 && indices[len(indices)-1] > mask {
		return table{}, fmt.Errorf("the index %d is beyond the bits", indices[len(indices)-1])
	}
	read := table{indices, make([]float64, len(values))}
	for at, value := range values {
		if value == nil || *value < -mostWeight || *value > mostWeight {
			return table{}, errors.New("a weight that is none")
		}
		read.values[at] = *value
	}
	return read, nil
}

// ascending returns a list of hashes, each above the one before.
func ascending(text json.RawMessage) ([]uint32, error) {
	var found []*uint32
	if err := json.Unmarshal(text, &found); err != nil || found == nil {
		return nil, fmt.Errorf("no list of hashes (%v)", err)
	}
	hashes := make([]uint32, len(found))
	for at, hash := range found {
		if hash == nil || (at > 0 && *hash <= hashes[at-1]) {
			return nil, errors.New("hashes do not ascend")
		}
		hashes[at] = *hash
	}
	return hashes, nil
}

// unsigned returns a document without the 64 digits of its checksum.
func unsigned(content []byte) []byte {
	end := len(content) - 2
	return append(append([]byte{}, content[:end-64]...), content[end:]...)
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
