// From scores to probabilities. Sums go from left to right: other languages reach the same bits.

const added = (numbers) => numbers.reduce((total, number) => total + number, 0);
// Not by arguments of Math.max: ten thousand of them may be too many.
const largest = (numbers) => numbers.reduce((most, number) => Math.max(most, number), -Infinity);

export function explored(scores, { kind, parameter }) {
  const best = largest(scores);
  const count = scores.length;
  if (kind === "softmax") {
    const odds = scores.map((score) => Math.exp((score - best) / parameter));
    const total = added(odds);
    return odds.map((odd) => odd / total);
  }
  const tie = 1 / scores.filter((score) => score === best).length;
  const greedy = scores.map((score) => (score === best ? tie : 0));
  if (kind === "epsilon-greedy") return greedy.map((share) => parameter / count + (1 - parameter) * share);
  const others = scores.map((score) => (score === best ? 0 : 1 / (count + parameter * (best - score))));
  const rest = 1 - added(others);
  return others.map((other, place) => other + rest * greedy[place]);
}

/** Mixes probabilities with equal ones, as little as gives each of K actions floor / K. */
export function raised(probabilities, floor) {
  const count = probabilities.length;
  const least = count * -largest(probabilities.map((one) => -one));
  if (least >= floor) return probabilities;
  const mixed = (floor - least) / (1 - least);
  return probabilities.map((one) => (1 - mixed) * one + mixed / count);
}

/** Returns the index that a number u, uniform in [0, 1), draws: Math.random() is one. */
export function draw(probabilities, u) {
  const limit = u * added(probabilities);
  let reached = 0;
  let last = 0;
  for (const [index, probability] of probabilities.entries()) {
    reached += probability;
    if (reached > limit) return index;
    if (probability > 0) last = index;
  }
  return last;
}
