package groundswell;

import java.util.Map;

/** For whom the newest policy decides: for {@code percent} of the values of a feature of the context. */
public record Canary(String feature, double percent) {
    private static final double MOST_WHOLE = (1L << 53) - 1; // a double that is 1 more may have been 2 more
    private static final double PLACES = 1L << 32;

    /**
     * Returns "canary" for those for whom the newest policy decides, "rest" for all others and where the feature is not
     * there. It goes by model, feature and value alone, so that whoever is in stays in as it grows.
     */
    String side(String model, Map<String, Object> context) {
        Double place = place(model, feature, context.get(feature));
        return place != null && place < percent / 100 ? "canary" : "rest";
    }

    /** Returns where among all values of a feature this one lies, evenly in [0, 1); null where it tells nobody apart. */
    static Double place(String model, String feature, Object value) {
        String text;
        if (value instanceof String || value instanceof Boolean) {
            text = value.toString();
        } else if (value instanceof Number number && isWhole(number.doubleValue())) {
            text = Long.toString((long) number.doubleValue());
        } else {
            return null;
        }
        int hash = Feature.crossed(Feature.hashed(model), Feature.hashed(feature + "=" + text));
        return Integer.toUnsignedLong(hash) / PLACES;
    }

    private static boolean isWhole(double number) {
        return Math.abs(number) <= MOST_WHOLE && number == Math.rint(number);
    }
}
