package groundswell

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Control says by which snapshot the apps of a model act: a document of the topic "controls".
type Control struct {
	Model         string
	Version       int64  // counts the controls of the model
	Mode          string // "log-only", "apprentice", "canary", "online" or "frozen"
	By, Why       string
	At            int64   // in milliseconds since 1970 UTC
	Canary        *Canary // in the mode "canary"
	PolicyVersion int64   // of the policy beside it; 0 where it names none
}

const (
	mostControlBytes = 10_000
	mostText         = 1_024
	mostName         = 128
	latest           = 253_402_300_799_999 // the end of the year 9999
)

var modes = map[string]bool{"log-only": true, "apprentice": true, "canary": true, "online": true, "frozen": true}

// readControl returns the control of a model in a document, or why nobody may act by it.
func readControl(model string, content []byte) (*Control, error) {
	if len(content) > mostControlBytes || !utf8.Valid(content) {
		return nil, fmt.Errorf("%d bytes that are no control", len(content))
	}
	found, err := membersOf(content,
		[]string{"schema_version", "model", "version", "mode", "by", "at", "why"}, []string{"canary", "policy_version"})
	if err != nil {
		return nil, err
	}
	var schema int
	control := &Control{}
	if err := found.into(map[string]any{
		"schema_version": &schema, "model": &control.Model, "version": &control.Version, "mode": &control.Mode,
		"by": &control.By, "at": &control.At, "why": &control.Why,
	}); err != nil {
		return nil, err
	}
	if text, there := found["canary"]; there && !isNull(text) {
		if control.Canary, err = readCanary(text); err != nil {
			return nil, err
		}
	}
	names := false
	if text, there := found["policy_version"]; there && !isNull(text) {
		names = true
		if err := json.Unmarshal(text, &control.PolicyVersion); err != nil || control.PolicyVersion < 1 {
			return nil, fmt.Errorf("the policy_version %.100s", text)
		}
	}
	switch {
	case schema != 1:
		return nil, fmt.Errorf("a control of schema %d", schema)
	case control.Model != model:
		return nil, fmt.Errorf("a control of %.100q under the key of %q", control.Model, model)
	case control.Version < 1:
		return nil, fmt.Errorf("the version %d", control.Version)
	case !modes[control.Mode]:
		return nil, fmt.Errorf("the mode %.100q", control.Mode)
	case !isText(control.By, mostText) || !isText(control.Why, mostText):
		return nil, errors.New("nobody who says so, no reason, or too long ones")
	case control.At < 0 || control.At > latest:
		return nil, fmt.Errorf("the time %d", control.At)
	case (control.Canary != nil) != (control.Mode == "canary"):
		return nil, fmt.Errorf("the mode %s with or without a canary", control.Mode)
	case names && control.Mode != "canary" && control.Mode != "frozen", !names && control.Mode == "frozen":
		return nil, fmt.Errorf("the mode %s with or without a policy_version", control.Mode)
	}
	return control, nil
}

func readCanary(text json.RawMessage) (*Canary, error) {
	found, err := membersOf(text, []string{"feature", "percent"}, nil)
	if err != nil {
		return nil, err
	}
	canary := &Canary{}
	if err := found.into(map[string]any{"feature": &canary.Feature, "percent": &canary.Percent}); err != nil {
		return nil, err
	}
	if !isText(canary.Feature, mostName) || canary.Percent < 0 || canary.Percent > 100 {
		return nil, fmt.Errorf("a canary of %g percent by %.100q", canary.Percent, canary.Feature)
	}
	return canary, nil
}

// isText says whether a text has 1 to so many characters, each a code point.
func isText(text string, most int) bool { return text != "" && utf8.RuneCountInString(text) <= most }
