package groundswell;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Set;

/**
 * By which snapshot the apps of a model act: a document of the topic {@code controls}.
 *
 * @param version counts the controls of the model
 * @param at since when, in milliseconds since 1970 UTC
 * @param canary in the mode "canary", otherwise null
 * @param policyVersion of the policy beside it; null where it names none
 */
public record Control(
        String model, long version, String mode, String by, long at, String why, Canary canary, Long policyVersion) {
    private static final int MOST_BYTES = 10_000;
    private static final int MOST_TEXT = 1_024;
    private static final int MOST_NAME = 128;
    private static final long LATEST = 253_402_300_799_999L; // the end of the year 9999
    private static final Set<String> MODES = Set.of("log-only", "apprentice", "canary", "online", "frozen");
    private static final Set<String> REQUIRED = Set.of("schema_version", "model", "version", "mode", "by", "at", "why");
    private static final Set<String> OPTIONAL = Set.of("canary", "policy_version");

    static Control read(String model, byte[] content) throws PolicyException {
        Document.demand(content.length <= MOST_BYTES, content.length + " bytes are more than a control has");
        JsonNode found = Document.members(Document.parsed(content), REQUIRED, OPTIONAL);
        Document.demand(Document.integer(found.get("schema_version"), 1, 1) == 1, "another schema");
        var control = new Control(
            Document.text(found.get("model")), Document.integer(found.get("version"), 1, Long.MAX_VALUE),
            Document.text(found.get("mode")), text(found.get("by"), MOST_TEXT),
            Document.integer(found.get("at"), 0, LATEST), text(found.get("why"), MOST_TEXT),
            found.hasNonNull("canary") ? canary(found.get("canary")) : null,
            found.hasNonNull("policy_version")
                ? (Long) Document.integer(found.get("policy_version"), 1, Long.MAX_VALUE) : null);
        Document.demand(control.model.equals(model), "a control of another model");
        Document.demand(MODES.contains(control.mode), "another mode");
        Document.demand(
            control.mode.equals("canary") == (control.canary != null), control.mode + " with or without a canary");
        boolean names = control.policyVersion != null;
        Document.demand(
            control.mode.equals("canary") || control.mode.equals("frozen") == names,
            control.mode + " with or without a policy_version");
        return control;
    }

    private static Canary canary(JsonNode value) throws PolicyException {
        JsonNode found = Document.members(value, Set.of("feature", "percent"), Set.of());
        return new Canary(text(found.get("feature"), MOST_NAME), Document.number(found.get("percent"), 0, 100));
    }

    /** Returns a text of 1 to so many characters, each a code point. */
    private static String text(JsonNode value, int most) throws PolicyException {
        String found = Document.text(value);
        int count = found.codePointCount(0, found.length());
        Document.demand(count >= 1 && count <= most, "a text that is empty or too long");
        return found;
    }
}
