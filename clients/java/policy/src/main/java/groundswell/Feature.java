package groundswell;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;

/** A feature as a hash, the bits of an unsigned 32-bit number, and its value. */
record Feature(int hash, double value) {
    private static final Feature CONSTANT = new Feature(0, 1);

    /** Returns all features of a context, the constant first, crosses of pairs last. */
    static List<Feature> ofContext(Map<String, Object> context, boolean crosses) {
        List<Feature> singles = named(context);
        var found = new ArrayList<Feature>();
        found.add(CONSTANT);
        found.addAll(singles);
        for (int i = 0; crosses && i < singles.size(); i++) {
            for (int j = i + 1; j < singles.size(); j++) {
                Feature g = singles.get(i);
                Feature h = singles.get(j);
                found.add(new Feature(crossed(g.hash, h.hash), g.value * h.value));
            }
        }
        return found;
    }

    static List<Feature> ofAction(Action action) {
        var found = new ArrayList<Feature>();
        found.add(new Feature(hashed("=" + action.id()), 1));
        found.addAll(named(action.features()));
        return found;
    }

    static int crossed(int g, int h) {
        return fmix32(g * 0x9E3779B1 + h);
    }

    private static List<Feature> named(Map<String, Object> features) {
        var found = new ArrayList<Feature>();
        // By code point, which String's own order is not: it is that of the bytes of UTF-8.
        features.entrySet().stream()
            .sorted((one, other) -> Arrays.compareUnsigned(utf8(one.getKey()), utf8(other.getKey())))
            .forEach(feature -> {
                String name = feature.getKey();
                Object value = feature.getValue();
                if (value instanceof String || value instanceof Boolean) {
                    found.add(new Feature(hashed(name + "=" + value), 1));
                } else if (value instanceof Number number && Double.isFinite(number.doubleValue())) {
                    double amount = number.doubleValue();
                    if (Math.abs(amount) >= 1e-9) {
                        found.add(new Feature(hashed(name), Math.max(-1e9, Math.min(1e9, amount))));
                    }
                } else {
                    throw new IllegalArgumentException(
                        "the feature " + name + " is no text, no boolean and no finite number: leave it out");
                }
            });
        return found;
    }

    static int hashed(String text) {
        var crc = new CRC32();
        crc.update(utf8(text));
        return fmix32((int) crc.getValue());
    }

    private static int fmix32(int h) {
        h = (h ^ h >>> 16) * 0x85EBCA6B;
        h = (h ^ h >>> 13) * 0xC2B2AE35;
        return h ^ h >>> 16;
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
