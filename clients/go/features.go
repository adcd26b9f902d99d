package groundswell

import (
	"fmt"
	"hash/crc32"
	"math"
	"reflect"
	"sort"
)

// Features are texts, booleans and finite numbers by name.
type Features map[string]any

// Action is one of the things that could be shown.
type Action struct {
	ID       string   `json:"id"`
	Features Features `json:"features,omitempty"`
}

type feature struct {
	hash  uint32
	value float64
}

// contextFeatures returns all features of a context, the constant first, crosses of pairs last.
func contextFeatures(context Features, crosses bool) ([]feature, error) {
	singles, err := named(context)
	if err != nil {
		return nil, err
	}
	found := append([]feature{{0, 1}}, singles...)
	for i := 0; crosses && i < len(singles); i++ {
		for _, h := range singles[i+1:] {
			g := singles[i]
			found = append(found, feature{crossed(g.hash, h.hash), g.value * h.value})
		}
	}
	return found, nil
}

func actionFeatures(action Action) ([]feature, error) {
	found, err := named(action.Features)
	return append([]feature{{hashed("=" + action.ID), 1}}, found...), err
}

// named returns features in the order of their names by bytes, which is that of code points.
func named(features Features) ([]feature, error) {
	names := make([]string, 0, len(features))
	for name := range features {
		names = append(names, name)
	}
	sort.Strings(names)
	found := make([]feature, 0, len(names))
	for _, name := range names {
		switch value := reflect.ValueOf(features[name]); value.Kind() {
		case reflect.String:
			found = append(found, feature{hashed(name + "=" + value.String()), 1})
		case reflect.Bool:
			found = append(found, feature{hashed(fmt.Sprintf("%s=%t", name, value.Bool())), 1})
		default:
			number, err := finite(value)
			if err != nil {
				return nil, fmt.Errorf("the feature %s is %w: leave it out", name, err)
			}
			if math.Abs(number) >= 1e-9 {
				found = append(found, feature{hashed(name), math.Max(-1e9, math.Min(1e9, number))})
			}
		}
	}
	return found, nil
}

func finite(value reflect.Value) (float64, error) {
	number := math.NaN()
	switch {
	case !value.IsValid():
	case value.CanFloat():
		number = value.Float()
	case value.CanInt():
		number = float64(value.Int())
	case value.CanUint():
		number = float64(value.Uint())
	}
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return 0, fmt.Errorf("no text, no boolean and no finite number")
	}
	return number, nil
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
