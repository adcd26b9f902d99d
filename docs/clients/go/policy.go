package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"sort"
)

// Features are texts, booleans and numbers (float64) by name.
type Features map[string]any

// Action is one of the things that could be shown.
type Action struct {
	ID       string   `json:"id"`
	Features Features `json:"features,omitempty"`
}

// Policy is a snapshot as it lies on the topic; nil stands for none yet.
type Policy struct {
	Version        int    `json:"version"`
	Checksum       string `json:"checksum"`
	Bits           uint   `json:"bits"`
	ContextCrosses bool   `json:"context_crosses"`
	SharedWeights  bool   `json:"shared_weights"`
	BesideNumbers  bool   `json:"constant_beside_numbers"`
	Exploration    struct {
		Kind      string  `json:"kind"`
		Parameter float64 `json:"parameter"`
	} `json:"exploration"`
	InDoubt *struct {
		Floor    float64  `json:"floor"`
		Features []uint32 `json:"features"`
	} `json:"in_doubt"`
	Bandit struct {
		Indices []uint32  `json:"indices"`
		Values  []float64 `json:"values"`
	} `json:"bandit"`
	weights map[uint32]float64
}

// Whole returns the policy under the model's key from the newest value of each key, if it is complete.
func Whole(model string, newest map[string][]byte) (*Policy, error) {
	document := newest[model]
	if bytes.HasPrefix(document, []byte(`{"kind":"chunked"`)) {
		var manifest struct {
			Slot, Chunks int
			SHA256       string
		}
		if err := json.Unmarshal(document, &manifest); err != nil {
			return nil, err
		}
		document = nil
		for number := range manifest.Chunks {
			document = append(document, newest[fmt.Sprintf("%s\x00%d\x00%d", model, manifest.Slot, number)]...)
		}
		if digest(document) != manifest.SHA256 {
			return nil, errors.New("chunks are missing: keep the policy you have")
		}
	}
	policy := &Policy{weights: map[uint32]float64{}}
	if err := json.Unmarshal(document, policy); err != nil {
		return nil, err
	}
	if digest(bytes.Replace(document, []byte(policy.Checksum), nil, 1)) != policy.Checksum {
		return nil, errors.New("the checksum does not fit: keep the policy you have")
	}
	for at, index := range policy.Bandit.Indices {
		policy.weights[index] = policy.Bandit.Values[at]
	}
	return policy, nil
}

// Probabilities returns with which probability to show each action: log them as they are.
func (policy *Policy) Probabilities(context Features, actions []Action) []float64 {
	count := float64(len(actions))
	if policy == nil {
		shares := make([]float64, len(actions))
		for number := range shares {
			shares[number] = 1 / count
		}
		return shares
	}
	known := policy.knownFeatures(context)
	shares := policy.explored(policy.scores(known, actions))
	least := count * slices.Min(shares)
	if !policy.inDoubt(known) || least >= policy.InDoubt.Floor {
		return shares
	}
	mixed := (policy.InDoubt.Floor - least) / (1 - least)
	for number := range shares {
		shares[number] = (1-mixed)*shares[number] + mixed/count
	}
	return shares
}

// inDoubt returns whether data cannot tell what people feel, in all contexts (0) or in one with such a feature.
func (policy *Policy) inDoubt(known []feature) bool {
	if policy.InDoubt == nil {
		return false
	}
	return slices.Contains(policy.InDoubt.Features, 0) || slices.ContainsFunc(known, func(one feature) bool {
		return slices.Contains(policy.InDoubt.Features, one.hash)
	})
}

func (policy *Policy) explored(scores []float64) []float64 {
	count := float64(len(scores))
	shares := make([]float64, len(scores))
	best := math.Inf(-1)
	for _, score := range scores {
		best = math.Max(best, score)
	}
	sum, ties := 0.0, 0.0
	for number, score := range scores {
		switch parameter := policy.Exploration.Parameter; {
		case policy.Exploration.Kind == "softmax":
			shares[number] = math.Exp((score - best) / parameter)
		case policy.Exploration.Kind == "epsilon-greedy":
			shares[number] = parameter / count
		case score < best:
			shares[number] = 1 / (count + parameter*(best-score))
		}
		sum += shares[number]
		if score == best {
			ties++
		}
	}
	for number, score := range scores {
		if policy.Exploration.Kind == "softmax" {
			shares[number] /= sum
		} else if score == best {
			shares[number] += (1 - sum) / ties
		}
	}
	return shares
}

func (policy *Policy) knownFeatures(context Features) []feature {
	known := hashedFeatures(context)
	if policy.ContextCrosses {
		own := len(known)
		for first := range own {
			for second := first + 1; second < own; second++ {
				g, h := known[first], known[second]
				known = append(known, feature{crossed(g.hash, h.hash), g.value * h.value})
			}
		}
	}
	return known
}

func (policy *Policy) scores(known []feature, actions []Action) []float64 {
	numbers := false
	for _, one := range known {
		numbers = numbers || one.value != 1
	}
	if policy.SharedWeights || (policy.BesideNumbers && numbers) || len(known) == 0 {
		known = append(known, feature{hashed(""), 1})
	}
	mask := uint32(1)<<policy.Bits - 1
	scores := make([]float64, len(actions))
	for number, action := range actions {
		offered := append([]feature{{hashed("=" + action.ID), 1}}, hashedFeatures(action.Features)...)
		for _, g := range known {
			for _, h := range offered {
				scores[number] += policy.weights[crossed(g.hash, h.hash)&mask] * g.value * h.value
			}
		}
	}
	return scores
}

type feature struct {
	hash  uint32
	value float64
}

func hashedFeatures(named Features) []feature {
	names := make([]string, 0, len(named))
	for name := range named {
		names = append(names, name)
	}
	sort.Strings(names)
	var found []feature
	for _, name := range names {
		switch value := named[name].(type) {
		case float64:
			if math.Abs(value) >= 1e-9 {
				found = append(found, feature{hashed(name), math.Max(-1e9, math.Min(1e9, value))})
			}
		default: // a text, or true or false
			found = append(found, feature{hashed(fmt.Sprintf("%s=%v", name, value)), 1})
		}
	}
	return found
}

func hashed(text string) uint32 { return fmix32(crc32.ChecksumIEEE([]byte(text))) }

func crossed(g, h uint32) uint32 { return fmix32(g*2654435761 + h) }

func fmix32(h uint32) uint32 {
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
