package groundswell

// Acting is what apps act by at one moment: the control in force, and the policy that it names. While it is not known yet
// whether there is a control, no policy decides: it might be one that must not.
type Acting struct {
	Control *Control // nil where there is none
	pinned  *Policy
	known   bool
}

// Chosen is what decides in a context, and what its impression says of it.
type Chosen struct {
	Policy *Policy // nil where none decides: then the app's own rule does, and chance without one
	Mode   string  // empty while it is not known whether there is a control
	Side   string  // "canary" or "rest" in the mode "canary", otherwise empty
}

// Mode returns that of the control, "online" without one; it is empty while it is not known.
func (acting Acting) Mode() string {
	switch {
	case !acting.known:
		return ""
	case acting.Control == nil:
		return "online"
	}
	return acting.Control.Mode
}

// by returns the same when this control has been read and this policy beside it, which counts from when the control
// names it.
func (acting Acting) by(control *Control, beside *Policy) Acting {
	acting.Control = control
	names := control != nil && control.PolicyVersion > 0
	if names && acting.named() == nil && beside != nil && beside.Version == control.PolicyVersion {
		acting.pinned = beside
	}
	return acting
}

// Chosen returns what decides in a context where newest is the newest policy.
func (acting Acting) Chosen(context Features, newest *Policy) Chosen {
	switch mode := acting.Mode(); mode {
	case "online":
		return Chosen{Policy: newest, Mode: mode}
	case "frozen":
		return Chosen{Policy: acting.named(), Mode: mode}
	case "canary":
		side := sideOf(acting.Control.Model, *acting.Control.Canary, context)
		if side == "canary" {
			return Chosen{newest, mode, side}
		}
		return Chosen{acting.named(), mode, side}
	default:
		return Chosen{Mode: mode}
	}
}

// named returns the policy that the control names, nil where it is not there.
func (acting Acting) named() *Policy {
	if acting.pinned != nil && acting.pinned.Version == acting.Control.PolicyVersion {
		return acting.pinned
	}
	return nil
}
