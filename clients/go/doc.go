// Package groundswell decides by the policies that groundswell learns, with the standard library alone.
//
//	newest, err := groundswell.NewNewestPolicy("feed")
//	newest.Offer(record.Key, record.Value, nil) // each record of the topic "policies"
//	shares, err := newest.Policy().Probabilities(groundswell.Features{"user": "ann"}, actions)
//	chosen := groundswell.Draw(shares, rand.Float64())
//
// docs/policy-format.md says what all of it does, in any language.
package groundswell
