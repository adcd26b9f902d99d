package groundswell;

import java.util.Map;

/**
 * What apps act by at one moment: the control in force, and the policy that it names.
 *
 * <p>While it is not known yet whether there is a control, no policy decides: it might be one that must not.
 *
 * @param control null where there is none
 * @param pinned the last policy that a control named
 * @param known whether the topic has been read to its end
 */
public record Acting(Control control, Policy pinned, boolean known) {
    static final Acting BY_NOTHING = new Acting(null, Policy.UNIFORM, false);

    /** Returns the mode of the control, "online" without one; null while it is not known. */
    public String mode() {
        if (!known) {
            return null;
        }
        return control == null ? "online" : control.mode();
    }

    /** Returns the same when this control has been read and this policy beside it, which counts from when it is named. */
    Acting by(Control newest, Policy beside) {
        boolean names = newest != null && newest.policyVersion() != null;
        boolean taken = names
            && !newest.policyVersion().equals(pinned.version()) && newest.policyVersion().equals(beside.version());
        return new Acting(newest, taken ? beside : pinned, known);
    }

    Acting atTheEnd() {
        return new Acting(control, pinned, true);
    }

    /** Returns what decides in a context, where {@code newest} is the newest policy. */
    public Chosen chosen(Map<String, Object> context, Policy newest) {
        String mode = mode();
        if (mode == null) {
            return new Chosen(Policy.UNIFORM, null, null);
        }
        switch (mode) {
            case "online":
                return new Chosen(newest, mode, null);
            case "frozen":
                return new Chosen(named(), mode, null);
            case "canary":
                String side = control.canary().side(control.model(), context);
                return new Chosen(side.equals("canary") ? newest : named(), mode, side);
            default:
                return new Chosen(Policy.UNIFORM, mode, null);
        }
    }

    private Policy named() {
        boolean there = control.policyVersion() != null && control.policyVersion().equals(pinned.version());
        return there ? pinned : Policy.UNIFORM;
    }
}
