package groundswell;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Decides by a policy of groundswell, or by chance. May be used by several threads. */
public final class Policy {
    /** What to act by until there is a policy. */
    public static final Policy UNIFORM = new Policy(null);

    private final Document document;
    private final Map<Integer, Double> weights = new HashMap<>();
    private final Set<Integer> doubtful = new HashSet<>();

    Policy(Document document) {
        this.document = document;
        if (document != null) {
            for (int at = 0; at < document.indices().length; at++) {
                weights.put((int) document.indices()[at], document.values()[at]);
            }
            for (long hash : document.doubtful()) {
                doubtful.add((int) hash);
            }
        }
    }

    /** Returns how many interactions it has learned from, the policy_version of impressions; null where it is chance. */
    public Long version() {
        return document == null ? null : document.version();
    }

    /** Returns the predicted reward of each action. */
    public double[] scores(Map<String, Object> context, List<Action> actions) {
        double[] scores = new double[actions.size()];
        if (document == null) {
            return scores;
        }
        List<Feature> known = Feature.ofContext(context, document.crosses());
        boolean numbers = document.besideNumbers() && known.stream().anyMatch(one -> one.value() != 1);
        if (known.size() > 1 && !document.shared() && !numbers) {
            known.remove(0);
        }
        int mask = (int) ((1L << document.bits()) - 1);
        for (int at = 0; at < scores.length; at++) {
            List<Feature> offered = Feature.ofAction(actions.get(at));
            for (Feature g : known) {
                for (Feature h : offered) {
                    double weight = weights.getOrDefault(Feature.crossed(g.hash(), h.hash()) & mask, 0.0);
                    scores[at] += weight * (g.value() * h.value());
                }
            }
        }
        return scores;
    }

    /**
     * Returns with which probability to show each action: log them as they are.
     *
     * @throws IllegalArgumentException there are no actions, or a feature is nothing that an impression can hold
     */
    public double[] probabilities(Map<String, Object> context, List<Action> actions) {
        if (actions.isEmpty()) {
            throw new IllegalArgumentException("there is nothing to choose from: give at least one action");
        }
        double[] scores = scores(context, actions);
        if (document == null) {
            return Exploration.CHANCE.probabilities(scores);
        }
        double[] shares = document.exploration().probabilities(scores);
        boolean concerned = Feature.ofContext(context, document.crosses()).stream()
            .anyMatch(one -> doubtful.contains(one.hash()));
        return concerned ? Exploration.raised(shares, document.floor()) : shares;
    }

    /** Returns the index that a number u, uniform in [0, 1), draws from probabilities: Math.random() is one. */
    public static int draw(double[] probabilities, double u) {
        double limit = u * Exploration.added(probabilities);
        double reached = 0;
        int last = 0;
        for (int at = 0; at < probabilities.length; at++) {
            reached += probabilities[at];
            if (reached > limit) {
                return at;
            }
            last = probabilities[at] > 0 ? at : last;
        }
        return last;
    }
}
