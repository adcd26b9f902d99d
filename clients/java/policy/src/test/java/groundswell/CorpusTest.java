package groundswell;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;

/** The golden corpus. */
class CorpusTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Logger LOG = Logger.getLogger("groundswell");

    private static JsonNode corpus(String name) throws IOException {
        return JSON.readTree(Path.of("../../corpus", name + ".json").toFile());
    }

    private static double[] numbers(JsonNode listed) {
        return JSON.convertValue(listed, double[].class);
    }

    @Test
    void decisionsAreThoseOfTheCorpus() throws Exception {
        JsonNode file = corpus("decisions");
        for (JsonNode one : file.get("decisions")) {
            String document = file.get("policies").get(one.get("policy").asText()).asText();
            var read = Document.read("feed", document.getBytes(StandardCharsets.UTF_8));
            Policy policy = new Policy(read);
            var context = JSON.convertValue(
                file.get("contexts").get(one.get("context").asText()), new TypeReference<Map<String, Object>>() {});
            var actions = JSON.convertValue(
                file.get("actions").get(one.get("actions").asText()), new TypeReference<List<Action>>() {});
            assertArrayEquals(numbers(one.get("scores")), policy.scores(context, actions), one.toString());
            double[] found = policy.probabilities(context, actions);
            if (read.exploration().kind().equals("softmax")) {
                assertArrayEquals(numbers(one.get("probabilities")), found, 1e-12, one.toString());
            } else {
                assertArrayEquals(numbers(one.get("probabilities")), found, one.toString());
            }
            for (JsonNode draw : one.get("draws")) {
                assertEquals(draw.get(1).asInt(), Policy.draw(found, draw.get(0).asDouble()), one.toString());
            }
        }
    }

    @Test
    void drawsAreThoseOfTheCorpus() throws Exception {
        for (JsonNode one : corpus("draws")) {
            for (JsonNode draw : one.get("draws")) {
                int found = Policy.draw(numbers(one.get("probabilities")), draw.get(0).asDouble());
                assertEquals(draw.get(1).asInt(), found, one.get("probabilities") + " by " + draw);
            }
        }
    }

    @Test
    void policiesAreAdoptedAndRefusedAsInTheCorpus() throws Exception {
        LOG.setLevel(Level.OFF);
        for (JsonNode one : corpus("records")) {
            var trusted = JSON.convertValue(one.get("trusted"), new TypeReference<List<String>>() {});
            var newest = new NewestPolicy(one.get("model").asText(), trusted);
            var adopted = JSON.createArrayNode();
            for (JsonNode record : one.get("records")) {
                adopted.add(newest.offer(utf8(record.get("key")), value(record), signatures(record)));
            }
            String told = one.get("name").asText();
            assertEquals(one.get("adopted"), adopted, told);
            assertEquals(one.get("refused").asLong(), newest.refused(), told);
            assertEquals(whole(one.get("version")), newest.policy().version(), told);
        }
    }

    @Test
    void controlsAreFollowedAsInTheCorpus() throws Exception {
        LOG.setLevel(Level.OFF);
        JsonNode file = corpus("controls");
        for (JsonNode one : file.get("places")) {
            Object value = JSON.convertValue(one.get("value"), Object.class);
            Double place = one.get("place").isNull() ? null : one.get("place").asDouble();
            assertEquals(place, Canary.place(one.get("model").asText(), one.get("feature").asText(), value), one.toString());
        }
        var published = new Policy(Document.read("feed", utf8(file.get("newest"))));
        var actions = JSON.convertValue(file.get("actions"), new TypeReference<List<Action>>() {});
        for (JsonNode told : file.get("sequences")) {
            var trusted = JSON.convertValue(told.get("trusted"), new TypeReference<List<String>>() {});
            var controls = new NewestControl(told.get("model").asText(), trusted);
            for (JsonNode record : told.get("records")) {
                controls.offer(utf8(record.get("key")), value(record), signatures(record));
            }
            if (told.get("to_the_end").asBoolean()) {
                controls.readToItsEnd();
            }
            Acting acting = controls.acting();
            String name = told.get("name").asText();
            assertEquals(told.get("refused").asLong(), controls.refused(), name);
            assertEquals(whole(told.get("control")), acting.control() == null ? null : acting.control().version(), name);
            for (JsonNode one : told.get("decisions")) {
                var context = JSON.convertValue(
                    file.get("contexts").get(one.get("context").asText()), new TypeReference<Map<String, Object>>() {});
                Chosen found = acting.chosen(context, told.get("newest").asBoolean() ? published : Policy.UNIFORM);
                String asked = name + ", " + one;
                assertEquals(one.get("mode").textValue(), found.mode(), asked);
                assertEquals(one.get("side").textValue(), found.side(), asked);
                assertEquals(whole(one.get("policy_version")), found.policy().version(), asked);
                assertArrayEquals(
                    numbers(one.get("probabilities")), found.policy().probabilities(context, actions), asked);
            }
        }
    }

    private static Long whole(JsonNode number) {
        return number.isNull() ? null : number.asLong();
    }

    private static byte[] utf8(JsonNode text) {
        return text.isNull() ? null : text.asText().getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] value(JsonNode record) {
        return record.has("value") ? utf8(record.get("value")) : Base64.getDecoder().decode(record.get("value_base64").asText());
    }

    private static List<byte[]> signatures(JsonNode record) {
        return record.has("signature") ? List.of(HexFormat.of().parseHex(record.get("signature").asText())) : List.of();
    }

    @Test
    void withoutAPolicyAllActionsAreEquallyLikely() {
        List<Action> actions = List.of(new Action("a"), new Action("b"));
        assertArrayEquals(new double[] {0.5, 0.5}, Policy.UNIFORM.probabilities(Map.of("user", "ann"), actions));
        assertNull(Policy.UNIFORM.version());
        assertThrows(IllegalArgumentException.class, () -> Policy.UNIFORM.probabilities(Map.of(), List.of()));
    }

    @Test
    void nothingIsMadeOfAFeatureThatNoImpressionCanHold() throws Exception {
        String document = corpus("decisions").get("policies").get("squarecb").asText();
        Policy policy = new Policy(Document.read("feed", document.getBytes(StandardCharsets.UTF_8)));
        var wrong = new ArrayList<Object>(Arrays.asList(Double.NaN, Float.POSITIVE_INFINITY, 'c', List.of("a"), Map.of()));
        wrong.add(null);
        for (Object value : wrong) {
            var context = new HashMap<String, Object>();
            context.put("user", value);
            assertThrows(
                IllegalArgumentException.class, () -> policy.probabilities(context, List.of(new Action("a"))), "" + value);
        }
        assertTrue(policy.probabilities(Map.of("n", 3), List.of(new Action("a"))).length == 1);
    }
}
