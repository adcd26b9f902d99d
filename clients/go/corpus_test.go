package groundswell

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// corpus reads a file of the golden corpus.
func corpus(t *testing.T, name string, into any) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "corpus", name+".json"))
	if err == nil {
		err = json.Unmarshal(content, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

type drawn [2]float64

type decision struct {
	Policy, Context, Actions string
	Scores, Probabilities    []float64
	Draws                    []drawn
}

// same says whether numbers are the same to the bit, or 1e-12 off where exp is involved.
func same(found, expected []float64, exact bool) bool {
	if len(found) != len(expected) {
		return false
	}
	for at := range found {
		if exact && math.Float64bits(found[at]) != math.Float64bits(expected[at]) {
			return false
		}
		if !(math.Abs(found[at]-expected[at]) <= 1e-12) {
			return false
		}
	}
	return true
}

func TestDecisionsAreThoseOfTheCorpus(t *testing.T) {
	var file struct {
		Policies  map[string]string
		Contexts  map[string]Features
		Actions   map[string][]Action
		Decisions []decision
	}
	corpus(t, "decisions", &file)
	for _, one := range file.Decisions {
		policy, err := read("feed", []byte(file.Policies[one.Policy]))
		if err != nil {
			t.Fatalf("%s: %v", one.Policy, err)
		}
		scores, err := policy.Scores(file.Contexts[one.Context], file.Actions[one.Actions])
		if err != nil || !same(scores, one.Scores, true) {
			t.Errorf("scores of %v: %v (%v)", one, scores, err)
		}
		shares, err := policy.Probabilities(file.Contexts[one.Context], file.Actions[one.Actions])
		if err != nil || !same(shares, one.Probabilities, policy.kind != "softmax") {
			t.Errorf("%v: %v (%v)", one, shares, err)
		}
		for _, draw := range one.Draws {
			if index := Draw(shares, draw[0]); index != int(draw[1]) {
				t.Errorf("%v, drawn by %v: %d", one, draw[0], index)
			}
		}
	}
}

func TestDrawsAreThoseOfTheCorpus(t *testing.T) {
	var file []struct {
		Probabilities []float64
		Draws         []drawn
	}
	corpus(t, "draws", &file)
	for _, one := range file {
		for _, draw := range one.Draws {
			if index := Draw(one.Probabilities, draw[0]); index != int(draw[1]) {
				t.Errorf("%v by %v: %d, not %v", one.Probabilities, draw[0], index, draw[1])
			}
		}
	}
}

type record struct {
	Key, Value, Signature *string
	Base64                *string `json:"value_base64"`
}

func (one record) asRead(t *testing.T) (key, value []byte, signatures [][]byte) {
	t.Helper()
	var err error
	if one.Key != nil {
		key = []byte(*one.Key)
	}
	if one.Value != nil {
		value = []byte(*one.Value)
	}
	if one.Base64 != nil {
		value, err = base64.StdEncoding.DecodeString(*one.Base64)
	}
	if one.Signature != nil {
		signatures = make([][]byte, 1)
		signatures[0], err = hex.DecodeString(*one.Signature)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key, value, signatures
}

func TestPoliciesAreAdoptedAndRefusedAsInTheCorpus(t *testing.T) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	var file []struct {
		Name, Model string
		Trusted     []string
		Records     []record
		Adopted     []bool
		Refused     int
		Version     *int64
	}
	corpus(t, "records", &file)
	for _, one := range file {
		var keys [][]byte
		for _, key := range one.Trusted {
			keys = append(keys, []byte(key))
		}
		newest, err := NewNewestPolicy(one.Model, keys...)
		if err != nil {
			t.Fatal(err)
		}
		adopted := []bool{}
		for _, record := range one.Records {
			adopted = append(adopted, newest.Offer(record.asRead(t)))
		}
		var version *int64
		if policy := newest.Policy(); policy != nil {
			version = &policy.Version
		}
		if !reflect.DeepEqual(adopted, one.Adopted) || newest.Refused() != one.Refused ||
			!reflect.DeepEqual(version, one.Version) {
			t.Errorf("%s: adopted %v and refused %d, not %v and %d", one.Name, adopted, newest.Refused(), one.Adopted, one.Refused)
		}
	}
}

func TestControlsAreFollowedAsInTheCorpus(t *testing.T) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	var file struct {
		Newest   string
		Contexts map[string]Features
		Actions  []Action
		Places   []struct {
			Model, Feature string
			Value          any
			Place          *float64
		}
		Sequences []struct {
			Name, Model string
			Newest      bool
			Trusted     []string
			Records     []record
			ToTheEnd    bool `json:"to_the_end"`
			Refused     int
			Control     *int64
			Decisions   []struct {
				Context, Mode, Side string
				PolicyVersion       *int64 `json:"policy_version"`
				Probabilities       []float64
			}
		}
	}
	corpus(t, "controls", &file)
	for _, one := range file.Places {
		place, apart := placeOf(one.Model, one.Feature, one.Value)
		if apart != (one.Place != nil) || (apart && place != *one.Place) {
			t.Errorf("the place of %s=%v in %s: %v", one.Feature, one.Value, one.Model, place)
		}
	}
	published, err := read("feed", []byte(file.Newest))
	if err != nil {
		t.Fatal(err)
	}
	for _, told := range file.Sequences {
		var keys [][]byte
		for _, key := range told.Trusted {
			keys = append(keys, []byte(key))
		}
		controls, err := NewNewestControl(told.Model, keys...)
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range told.Records {
			controls.Offer(record.asRead(t))
		}
		if told.ToTheEnd {
			controls.ReadToItsEnd()
		}
		acting, newest := controls.Acting(), published
		if !told.Newest {
			newest = nil
		}
		var version *int64
		if acting.Control != nil {
			version = &acting.Control.Version
		}
		if controls.Refused() != told.Refused || !reflect.DeepEqual(version, told.Control) {
			t.Errorf("%s: refused %d, in force %+v", told.Name, controls.Refused(), acting.Control)
		}
		for _, one := range told.Decisions {
			found := acting.Chosen(file.Contexts[one.Context], newest)
			var by *int64
			if found.Policy != nil {
				by = &found.Policy.Version
			}
			shares, err := found.Policy.Probabilities(file.Contexts[one.Context], file.Actions)
			if err != nil || found.Mode != one.Mode || found.Side != one.Side ||
				!reflect.DeepEqual(by, one.PolicyVersion) || !same(shares, one.Probabilities, true) {
				t.Errorf("%s, %s: %+v with %v (%v)", told.Name, one.Context, found, shares, err)
			}
		}
	}
}

func TestWithoutAPolicyAllActionsAreEquallyLikely(t *testing.T) {
	var none *Policy
	shares, err := none.Probabilities(Features{"user": "ann"}, []Action{{ID: "a"}, {ID: "b"}})
	if err != nil || !reflect.DeepEqual(shares, []float64{0.5, 0.5}) {
		t.Error(shares, err)
	}
	if _, err := none.Probabilities(Features{}, nil); err == nil {
		t.Error("something was chosen from nothing")
	}
}

func TestNumbersOfAnyTypeAreNumbers(t *testing.T) {
	expected, _ := named(Features{"n": 3.0})
	for _, value := range []any{3, int64(3), uint8(3), float32(3)} {
		if found, err := named(Features{"n": value}); err != nil || !reflect.DeepEqual(found, expected) {
			t.Errorf("%T: %v (%v)", value, found, err)
		}
	}
}

func TestWholeNumbersOfAnyTypeLieAtOnePlace(t *testing.T) {
	expected, _ := placeOf("feed", "user", "7")
	for _, value := range []any{7, int64(7), uint8(7), float32(7), 7.0} {
		if place, apart := placeOf("feed", "user", value); !apart || place != expected {
			t.Errorf("%T: %v", value, place)
		}
	}
	for _, value := range []any{int64(1 << 53), uint64(1 << 63), -1 << 53, math.NaN(), nil, []string{"a"}} {
		if place, apart := placeOf("feed", "user", value); apart {
			t.Errorf("%v (%T) lies at %v", value, value, place)
		}
	}
}

func TestNothingIsMadeOfAFeatureThatNoImpressionCanHold(t *testing.T) {
	policy := &Policy{kind: "squarecb", parameter: 1}
	for _, value := range []any{nil, math.NaN(), math.Inf(1), []string{"a"}, map[string]any{}} {
		if _, err := policy.Probabilities(Features{"user": value}, []Action{{ID: "a"}}); err == nil {
			t.Errorf("%v passed", value)
		}
	}
}
