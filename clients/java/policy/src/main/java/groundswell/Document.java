package groundswell;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Set;
import java.util.stream.StreamSupport;

/** A policy as it lies on the topic, checked. Hashes and indices are unsigned 32-bit numbers. */
record Document(
        long version, int bits, boolean crosses, boolean shared, boolean besideNumbers, Exploration exploration,
        double floor, long[] doubtful, long[] indices, double[] values) {
    private static final ObjectMapper JSON =
        new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    private static final Set<String> REQUIRED = Set.of(
        "schema_version", "kind", "model", "version", "parent", "features", "bits", "context_crosses", "shared_weights",
        "exploration", "bandit", "inverse_kinematics", "configuration", "checksum");
    private static final Set<String> OPTIONAL = Set.of("constant_beside_numbers", "in_doubt", "lineage");
    private static final int DIGITS = 64;
    private static final double MOST_WEIGHT = 1e100;
    private static final long MOST_HASH = (1L << 32) - 1;

    private record Weights(long[] indices, double[] values) {}

    static Document read(String model, byte[] content) throws PolicyException {
        JsonNode found = parsed(content);
        members(found, REQUIRED, OPTIONAL);
        demand(integer(found.get("schema_version"), 1, 1) == 1, "another schema");
        demand(text(found.get("kind")).equals("policy"), "another kind");
        for (String name : new String[] {"features", "configuration"}) {
            text(found.get(name));
        }
        String checksum = text(found.get("checksum"));
        int end = content.length - 2;
        demand(checksum.length() == DIGITS && end >= DIGITS
            && new String(content, end - DIGITS, DIGITS + 2, StandardCharsets.ISO_8859_1).equals(checksum + "\"}")
            && digest(Arrays.copyOf(content, end - DIGITS), "\"}".getBytes(StandardCharsets.UTF_8)).equals(checksum),
            "the checksum does not fit");
        demand(text(found.get("model")).equals(model), "a policy of another model");
        if (!found.get("parent").isNull()) {
            integer(found.get("parent"), 0, Long.MAX_VALUE);
        }
        if (found.has("lineage")) {
            text(found.get("lineage"));
        }
        int bits = (int) integer(found.get("bits"), 1, 32);
        Weights bandit = weights(found.get("bandit"), bits);
        if (!found.get("inverse_kinematics").isNull()) {
            weights(found.get("inverse_kinematics"), bits);
        }
        JsonNode explored = members(found.get("exploration"), Set.of("kind", "parameter"), Set.of());
        var exploration = new Exploration(
            text(explored.get("kind")), number(explored.get("parameter"), -Double.MAX_VALUE, Double.MAX_VALUE));
        demand(exploration.possible(), "an exploration that gives no probabilities");
        double floor = 0;
        long[] doubtful = {};
        if (found.has("in_doubt")) {
            JsonNode doubt = members(found.get("in_doubt"), Set.of("floor", "features"), Set.of());
            floor = number(doubt.get("floor"), 0, 1);
            doubtful = ascending(doubt.get("features"), MOST_HASH);
        }
        return new Document(
            integer(found.get("version"), 0, Long.MAX_VALUE), bits, flag(found.get("context_crosses")),
            flag(found.get("shared_weights")),
            found.has("constant_beside_numbers") && flag(found.get("constant_beside_numbers")), exploration, floor,
            doubtful, bandit.indices, bandit.values);
    }

    /** Returns the JSON in these bytes, which have to be UTF-8. */
    static JsonNode parsed(byte[] content) throws PolicyException {
        try {
            // Not from bytes: Jackson would take them for UTF-16 or UTF-32 where they look like it.
            return JSON.readTree(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(content)).toString());
        } catch (CharacterCodingException | JacksonException error) {
            throw new PolicyException("not JSON: " + error.getMessage());
        }
    }

    static String digest(byte[]... pieces) {
        try {
            var sha256 = MessageDigest.getInstance("SHA-256");
            for (byte[] piece : pieces) {
                sha256.update(piece);
            }
            return HexFormat.of().formatHex(sha256.digest());
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible); // every Java has SHA-256
        }
    }

    static long integer(JsonNode value, long least, long most) throws PolicyException {
        boolean right = value != null && value.isIntegralNumber() && value.canConvertToLong()
            && value.asLong() >= least && value.asLong() <= most;
        demand(right, value + " is no integer from " + least + " to " + most);
        return value.asLong();
    }

    static void demand(boolean holds, String otherwise) throws PolicyException {
        if (!holds) {
            throw new PolicyException(otherwise);
        }
    }

    private static Weights weights(JsonNode table, int bits) throws PolicyException {
        members(table, Set.of("indices", "values"), Set.of());
        long[] indices = ascending(table.get("indices"), (1L << bits) - 1);
        JsonNode listed = table.get("values");
        demand(listed.isArray() && listed.size() == indices.length, "not as many weights as indices");
        double[] values = new double[indices.length];
        for (int at = 0; at < values.length; at++) {
            values[at] = number(listed.get(at), -MOST_WEIGHT, MOST_WEIGHT);
        }
        return new Weights(indices, values);
    }

    private static long[] ascending(JsonNode listed, long most) throws PolicyException {
        demand(listed.isArray(), "no list");
        long[] found = new long[listed.size()];
        for (int at = 0; at < found.length; at++) {
            found[at] = integer(listed.get(at), 0, most);
            demand(at == 0 || found[at - 1] < found[at], "indices or hashes do not ascend");
        }
        return found;
    }

    /** Returns an object that has to have these members and no others. */
    static JsonNode members(JsonNode value, Set<String> required, Set<String> optional) throws PolicyException {
        demand(value.isObject() && required.stream().allMatch(value::has), "no object, or members are missing");
        Iterable<String> names = value::fieldNames;
        demand(
            StreamSupport.stream(names.spliterator(), false)
                .allMatch(name -> required.contains(name) || optional.contains(name)),
            "a member that is not known: update the reader");
        return value;
    }

    static double number(JsonNode value, double least, double most) throws PolicyException {
        demand(value.isNumber() && value.asDouble() >= least && value.asDouble() <= most,
            value + " is no number from " + least + " to " + most);
        return value.asDouble();
    }

    static String text(JsonNode value) throws PolicyException {
        demand(value.isTextual(), "no text");
        return value.asText();
    }

    private static boolean flag(JsonNode value) throws PolicyException {
        demand(value.isBoolean(), "neither true nor false");
        return value.asBoolean();
    }
}
