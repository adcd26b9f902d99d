package groundswell;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.Map;

/** One of the things that could be shown; features are texts, booleans and finite numbers by name. */
@JsonInclude(JsonInclude.Include.NON_EMPTY)
public record Action(String id, Map<String, Object> features) {
    public Action {
        features = features == null ? Map.of() : features;
    }

    public Action(String id) {
        this(id, Map.of());
    }
}
