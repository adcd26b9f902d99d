// Package groundswell decides by the policies that groundswell learns, with the standard library alone.
//
//	context := groundswell.Features{"user": "ann"}
//	newest, err := groundswell.NewNewestPolicy("feed")
//	newest.Offer(record.Key, record.Value, nil) // each record of the topic "policies"
//	controls, err := groundswell.NewNewestControl("feed")
//	controls.Offer(record.Key, record.Value, nil) // each of the topic "controls", then once controls.ReadToItsEnd()
//	chosen := controls.Acting().Chosen(context, newest.Policy())
//	shares, err := chosen.Policy.Probabilities(context, actions)
//	shown := groundswell.Draw(shares, rand.Float64())
//
// docs/policy-format.md says what all of it does, in any language.
package groundswell
