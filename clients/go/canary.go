package groundswell

import (
	"fmt"
	"math"
	"reflect"
)

// Canary says for whom the newest policy decides: for Percent of the values of a feature of the context.
type Canary struct {
	Feature string
	Percent float64
}

// mostWhole: a double that is 1 more may have been 2 more.
const mostWhole = 1<<53 - 1

// sideOf returns "canary" for those for whom the newest policy decides, "rest" for all others and where the feature is
// not there. It goes by model, feature and value alone, so that whoever is in a canary stays in as it grows.
func sideOf(model string, canary Canary, context Features) string {
	if place, apart := placeOf(model, canary.Feature, context[canary.Feature]); apart && place < canary.Percent/100 {
		return "canary"
	}
	return "rest"
}

// placeOf returns where among all values of a feature this one lies, evenly in [0, 1), and whether it tells anybody apart.
func placeOf(model, feature string, value any) (float64, bool) {
	var text string
	switch found := reflect.ValueOf(value); found.Kind() {
	case reflect.String:
		text = found.String()
	case reflect.Bool:
		text = fmt.Sprintf("%t", found.Bool())
	default:
		number, err := finite(found)
		if err != nil || number != math.Trunc(number) || math.Abs(number) > mostWhole {
			return 0, false
		}
		text = fmt.Sprintf("%d", int64(number))
	}
	return float64(crossed(hashed(model), hashed(feature+"="+text))) / (1 << 32), true
}
