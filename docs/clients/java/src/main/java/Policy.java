import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32;

/** A policy as groundswell publishes it; until there is one, choose uniformly at random. */
final class Policy {
    /** One of the things that could be shown. */
    record Action(String id, Map<String, Object> features) {}

    private record Feature(int hash, double value) {}

    private static final ObjectMapper JSON = new ObjectMapper();

    final long version;
    private final boolean crosses;
    private final boolean shared;
    private final boolean besideNumbers;
    private final int mask;
    private final String kind;
    private final double parameter;
    private final double floor;
    private final Set<Integer> inDoubt = new HashSet<>();
    private final Map<Integer, Double> weights = new HashMap<>();

    private Policy(JsonNode document) {
        version = document.get("version").asLong();
        crosses = document.get("context_crosses").asBoolean();
        shared = document.get("shared_weights").asBoolean();
        besideNumbers = document.path("constant_beside_numbers").asBoolean();
        mask = (1 << document.get("bits").asInt()) - 1;
        kind = document.get("exploration").get("kind").asText();
        parameter = document.get("exploration").get("parameter").asDouble();
        floor = document.path("in_doubt").path("floor").asDouble();
        // Hashes are unsigned 32-bit numbers: the same bits as an int.
        document.path("in_doubt").path("features").forEach(hash -> inDoubt.add((int) hash.asLong()));
        JsonNode bandit = document.get("bandit");
        for (int at = 0; at < bandit.get("indices").size(); at++) {
            weights.put(bandit.get("indices").get(at).asInt(), bandit.get("values").get(at).asDouble());
        }
    }

    /** Returns the policy under the model's key from the newest value of each key; throws where it is not whole. */
    static Policy whole(String model, Map<String, byte[]> newest) throws Exception {
        byte[] document = newest.get(model);
        if (new String(document, StandardCharsets.ISO_8859_1).startsWith("{\"kind\":\"chunked\"")) {
            JsonNode manifest = JSON.readTree(document);
            var whole = new ByteArrayOutputStream();
            for (int number = 0; number < manifest.get("chunks").asInt(); number++) {
                String key = model + "\0" + manifest.get("slot").asInt() + "\0" + number;
                whole.writeBytes(newest.getOrDefault(key, new byte[0]));
            }
            document = whole.toByteArray();
            if (!digest(document).equals(manifest.get("sha256").asText())) {
                throw new IllegalStateException("chunks are missing: keep the policy you have");
            }
        }
        JsonNode read = JSON.readTree(document);
        String checksum = read.get("checksum").asText();
        String unsigned = new String(document, StandardCharsets.UTF_8).replace(checksum, "");
        if (!digest(unsigned.getBytes(StandardCharsets.UTF_8)).equals(checksum)) {
            throw new IllegalStateException("the checksum does not fit: keep the policy you have");
        }
        return new Policy(read);
    }

    /** Returns with which probability to show each action: log them as they are. */
    double[] probabilities(Map<String, Object> context, List<Action> actions) {
        List<Feature> known = knownFeatures(context);
        double[] shares = explored(scores(known, actions));
        double least = shares.length * Arrays.stream(shares).min().orElseThrow();
        // Where data cannot tell what people feel: in all contexts (0), or in those with such a feature.
        boolean doubtful = inDoubt.contains(0) || known.stream().anyMatch(one -> inDoubt.contains(one.hash));
        if (!doubtful || least >= floor) {
            return shares;
        }
        double mixed = (floor - least) / (1 - least);
        return Arrays.stream(shares).map(share -> (1 - mixed) * share + mixed / shares.length).toArray();
    }

    private double[] explored(double[] scores) {
        double best = Arrays.stream(scores).max().orElseThrow();
        double[] shares = new double[scores.length];
        for (int at = 0; at < scores.length; at++) {
            shares[at] = switch (kind) {
                case "softmax" -> Math.exp((scores[at] - best) / parameter);
                case "epsilon-greedy" -> parameter / scores.length;
                default -> scores[at] == best ? 0 : 1 / (scores.length + parameter * (best - scores[at]));
            };
        }
        double sum = Arrays.stream(shares).sum();
        long ties = Arrays.stream(scores).filter(score -> score == best).count();
        for (int at = 0; at < scores.length; at++) {
            if (kind.equals("softmax")) {
                shares[at] /= sum;
            } else if (scores[at] == best) {
                shares[at] += (1 - sum) / ties;
            }
        }
        return shares;
    }

    private List<Feature> knownFeatures(Map<String, Object> context) {
        List<Feature> known = features(context);
        int own = known.size();
        for (int first = 0; crosses && first < own; first++) {
            for (int second = first + 1; second < own; second++) {
                Feature g = known.get(first);
                Feature h = known.get(second);
                known.add(new Feature(crossed(g.hash, h.hash), g.value * h.value));
            }
        }
        return known;
    }

    private double[] scores(List<Feature> known, List<Action> actions) {
        boolean numbers = known.stream().anyMatch(one -> one.value != 1);
        if (shared || (besideNumbers && numbers) || known.isEmpty()) {
            known.add(new Feature(hashed(""), 1));
        }
        double[] scores = new double[actions.size()];
        for (int at = 0; at < scores.length; at++) {
            List<Feature> offered = features(actions.get(at).features());
            offered.add(0, new Feature(hashed("=" + actions.get(at).id()), 1));
            for (Feature g : known) {
                for (Feature h : offered) {
                    double weight = weights.getOrDefault(crossed(g.hash, h.hash) & mask, 0.0);
                    scores[at] += weight * g.value * h.value;
                }
            }
        }
        return scores;
    }

    private static List<Feature> features(Map<String, Object> named) {
        var found = new ArrayList<Feature>();
        // By code point, which String's own order is not.
        named.entrySet().stream()
            .sorted((one, other) -> Arrays.compareUnsigned(utf8(one.getKey()), utf8(other.getKey())))
            .forEach(feature -> {
                if (!(feature.getValue() instanceof Number number)) {
                    found.add(new Feature(hashed(feature.getKey() + "=" + feature.getValue()), 1));
                } else if (Math.abs(number.doubleValue()) >= 1e-9) {
                    double value = Math.max(-1e9, Math.min(1e9, number.doubleValue()));
                    found.add(new Feature(hashed(feature.getKey()), value));
                }
            });
        return found;
    }

    private static int hashed(String text) {
        var crc = new CRC32();
        crc.update(utf8(text));
        return fmix32((int) crc.getValue());
    }

    private static int crossed(int g, int h) {
        return fmix32(g * 0x9E3779B1 + h);
    }

    private static int fmix32(int h) {
        h = (h ^ h >>> 16) * 0x85EBCA6B;
        h = (h ^ h >>> 13) * 0xC2B2AE35;
        return h ^ h >>> 16;
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String digest(byte[] content) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    }
}
