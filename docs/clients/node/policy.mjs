import { createHash } from "node:crypto";

export function checked(document) {  // a Buffer
  const policy = JSON.parse(document.toString("utf8"));
  const unsigned = document.toString("utf8").replace(policy.checksum, "");
  const found = createHash("sha256").update(unsigned).digest("hex");
  if (found !== policy.checksum) throw new Error("the checksum does not fit: keep the policy you have");
  return policy;
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function fmix32(h) {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hashed(text) {
  let crc = 0xffffffff;
  for (const byte of new TextEncoder().encode(text)) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  return fmix32(~crc);
}

const crossed = (g, h) => fmix32(Math.imul(g, 0x9e3779b1) + h | 0);

function features(named) {
  const found = [];
  for (const name of Object.keys(named).sort()) {
    const value = named[name];
    if (typeof value === "number") {
      if (Math.abs(value) >= 1e-9) found.push([hashed(name), Math.max(-1e9, Math.min(1e9, value))]);
    } else found.push([hashed(`${name}=${value}`), 1]);
  }
  return found;
}

function knownFeatures(policy, context) {
  const known = features(context);
  const singles = known.length;
  if (policy.context_crosses)
    for (let i = 0; i < singles; i++)
      for (let j = i + 1; j < singles; j++)
        known.push([crossed(known[i][0], known[j][0]), known[i][1] * known[j][1]]);
  return known;
}

export function scores(policy, context, actions) {
  const weights = new Map(policy.bandit.indices.map((index, place) => [index, policy.bandit.values[place]]));
  const known = knownFeatures(policy, context);
  const numbers = policy.constant_beside_numbers && known.some(([, x]) => x !== 1);
  if (policy.shared_weights || numbers || known.length === 0) known.push([hashed(""), 1]);
  const mask = 2 ** policy.bits - 1;
  return actions.map((action) => {
    let score = 0;
    for (const [g, x] of known)
      for (const [h, y] of [[hashed("=" + action.id), 1], ...features(action.features ?? {})])
        score += (weights.get(crossed(g, h) & mask) ?? 0) * x * y;
    return score;
  });
}

export function probabilities(policy, context, actions) {
  const shares = explored(policy, scores(policy, context, actions));
  const doubt = policy.in_doubt;
  const least = shares.length * Math.min(...shares);
  const hashes = [0, ...knownFeatures(policy, context).map(([h]) => h)];
  if (!doubt || least >= doubt.floor || !hashes.some((h) => doubt.features.includes(h))) return shares;
  const mixed = (doubt.floor - least) / (1 - least);
  return shares.map((share) => (1 - mixed) * share + mixed / shares.length);
}

function explored(policy, values) {
  const { kind, parameter } = policy.exploration;
  const best = Math.max(...values);
  if (kind === "softmax") {
    const odds = values.map((value) => Math.exp((value - best) / parameter));
    const total = odds.reduce((sum, odd) => sum + odd, 0);
    return odds.map((odd) => odd / total);
  }
  const count = values.length;
  const shares = values.map((value) =>
    kind === "epsilon-greedy" ? parameter / count : value === best ? 0 : 1 / (count + parameter * (best - value)));
  const winners = values.filter((value) => value === best).length;
  const rest = (1 - shares.reduce((sum, share) => sum + share, 0)) / winners;
  return shares.map((share, place) => (values[place] === best ? share + rest : share));
}
