package groundswell

import (
	"errors"
	"fmt"
)

// Policy decides; nil does by chance, which is what to act by until there is one.
type Policy struct {
	Version       int64 // how many interactions it has learned from: the policy_version of impressions
	mask          uint32
	crosses       bool
	shared        bool
	besideNumbers bool
	kind          string
	parameter     float64
	floor         float64
	doubtful      map[uint32]bool
	weights       map[uint32]float64
}

// Scores returns the predicted reward of each action. It fails where a feature is nothing that an impression can hold.
func (policy *Policy) Scores(context Features, actions []Action) ([]float64, error) {
	scores := make([]float64, len(actions))
	if policy == nil {
		return scores, nil
	}
	known, err := contextFeatures(context, policy.crosses)
	if err != nil {
		return nil, err
	}
	numbers := false
	for _, one := range known {
		numbers = numbers || one.value != 1
	}
	if len(known) > 1 && !policy.shared && !(policy.besideNumbers && numbers) {
		known = known[1:]
	}
	for at, action := range actions {
		offered, err := actionFeatures(action)
		if err != nil {
			return nil, fmt.Errorf("action %s: %w", action.ID, err)
		}
		for _, g := range known {
			for _, h := range offered {
				weight := policy.weights[crossed(g.hash, h.hash)&policy.mask]
				scores[at] += float64(weight * float64(g.value*h.value))
			}
		}
	}
	return scores, nil
}

// Probabilities returns with which probability to show each action: log them as they are. It fails without actions, or
// where a feature is nothing that an impression can hold.
func (policy *Policy) Probabilities(context Features, actions []Action) ([]float64, error) {
	if len(actions) == 0 {
		return nil, errors.New("there is nothing to choose from: give at least one action")
	}
	scores, err := policy.Scores(context, actions)
	if err != nil {
		return nil, err
	}
	if policy == nil {
		return explored(scores, "epsilon-greedy", 1), nil
	}
	shares := explored(scores, policy.kind, policy.parameter)
	known, err := contextFeatures(context, policy.crosses)
	if err != nil {
		return nil, err
	}
	for _, one := range known {
		if policy.doubtful[one.hash] {
			return raised(shares, policy.floor), nil
		}
	}
	return shares, nil
}
