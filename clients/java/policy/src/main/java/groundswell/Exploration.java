package groundswell;

import java.util.Arrays;

/** From scores to probabilities. Sums go from left to right: other languages reach the same bits. */
record Exploration(String kind, double parameter) {
    static final Exploration CHANCE = new Exploration("epsilon-greedy", 1);

    boolean possible() {
        return switch (kind) {
            case "epsilon-greedy" -> parameter >= 0 && parameter <= 1;
            case "squarecb" -> parameter >= 0 && parameter <= 1e100;
            case "softmax" -> parameter >= 1e-100 && parameter <= 1e100;
            default -> false;
        };
    }

    double[] probabilities(double[] scores) {
        int count = scores.length;
        double best = Arrays.stream(scores).max().orElseThrow();
        double tie = 1.0 / Arrays.stream(scores).filter(score -> score == best).count();
        double[] shares = new double[count];
        for (int at = 0; at < count; at++) {
            boolean first = scores[at] == best;
            shares[at] = switch (kind) {
                case "softmax" -> Math.exp((scores[at] - best) / parameter);
                case "epsilon-greedy" -> parameter / count + (1 - parameter) * (first ? tie : 0);
                default -> first ? 0 : 1 / (count + parameter * (best - scores[at]));
            };
        }
        double total = added(shares);
        for (int at = 0; at < count; at++) {
            if (kind.equals("softmax")) {
                shares[at] /= total;
            } else if (kind.equals("squarecb") && scores[at] == best) {
                shares[at] = (1 - total) * tie;
            }
        }
        return shares;
    }

    /** Mixes probabilities with equal ones, as little as gives each of K actions floor / K. */
    static double[] raised(double[] shares, double floor) {
        int count = shares.length;
        double least = count * Arrays.stream(shares).min().orElseThrow();
        if (least >= floor) {
            return shares;
        }
        double mixed = (floor - least) / (1 - least);
        return Arrays.stream(shares).map(share -> (1 - mixed) * share + mixed / count).toArray();
    }

    /** Not a stream's sum, which compensates. */
    static double added(double[] numbers) {
        double total = 0;
        for (double number : numbers) {
            total += number;
        }
        return total;
    }
}
