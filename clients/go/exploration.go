package groundswell

import "math"

// Sums go from left to right, and each operation is rounded on its own: other languages reach the same bits. Go may fuse
// x*y + z into one operation, except where the product is converted: float64(x*y) + z.

func explored(scores []float64, kind string, parameter float64) []float64 {
	best, ties := math.Inf(-1), 0.0
	for _, score := range scores {
		best = math.Max(best, score)
	}
	for _, score := range scores {
		if score == best {
			ties++
		}
	}
	count := float64(len(scores))
	shares := make([]float64, len(scores))
	for at, score := range scores {
		greedy := 0.0
		if score == best {
			greedy = 1 / ties
		}
		switch {
		case kind == "softmax":
			shares[at] = math.Exp((score - best) / parameter)
		case kind == "epsilon-greedy":
			shares[at] = parameter/count + float64((1-parameter)*greedy)
		case score != best:
			shares[at] = 1 / (count + float64(parameter*(best-score)))
		}
	}
	switch total := added(shares); kind {
	case "softmax":
		for at := range shares {
			shares[at] /= total
		}
	case "squarecb":
		for at, score := range scores {
			if score == best {
				shares[at] = (1 - total) * (1 / ties)
			}
		}
	}
	return shares
}

// raised mixes probabilities with equal ones, as little as gives each of K actions floor / K.
func raised(shares []float64, floor float64) []float64 {
	count, least := float64(len(shares)), math.Inf(1)
	for _, share := range shares {
		least = math.Min(least, share)
	}
	least *= count
	if least >= floor {
		return shares
	}
	mixed := (floor - least) / (1 - least)
	for at, share := range shares {
		shares[at] = float64((1-mixed)*share) + mixed/count
	}
	return shares
}

// Draw returns the index that a number u, uniform in [0, 1), draws from probabilities: rand.Float64() is one.
func Draw(probabilities []float64, u float64) int {
	limit, reached, last := u*added(probabilities), 0.0, 0
	for at, probability := range probabilities {
		reached += probability
		if reached > limit {
			return at
		}
		if probability > 0 {
			last = at
		}
	}
	return last
}

func added(numbers []float64) float64 {
	total := 0.0
	for _, number := range numbers {
		total += number
	}
	return total
}
