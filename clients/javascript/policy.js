import { flag, integer, listOf, members, number, orNull, parsed, text } from "./document.js";
import { actionFeatures, contextFeatures, crossed } from "./features.js";
import { explored, raised } from "./exploration.js";

/** A document that may not be decided by; the message says why. */
export class PolicyError extends Error {}

/** Decides by a document; Policy.uniform by chance. */
export class Policy {
  #document;
  #weights;
  #doubtful;

  /** Takes what `read` has checked. */
  constructor(document) {
    this.#document = document;
    const { indices, values } = document?.bandit ?? { indices: [], values: [] };
    this.#weights = new Map(indices.map((index, place) => [index, values[place]]));
    this.#doubtful = new Set(document?.in_doubt?.features);
  }

  /** How many interactions it has learned from: the policy_version of impressions. null where it is chance. */
  get version() {
    return this.#document?.version ?? null;
  }

  /** The predicted reward of each action: { id, features }. */
  scores(context, actions) {
    if (this.#document === null) return actions.map(() => 0);
    const { bits, context_crosses, shared_weights, constant_beside_numbers } = this.#document;
    const known = contextFeatures(context, context_crosses);
    const numbers = constant_beside_numbers === true && known.some(([, x]) => x !== 1);
    if (known.length > 1 && !shared_weights && !numbers) known.shift();
    const mask = bits === 32 ? 0xffffffff : (1 << bits) - 1;
    return actions.map((action) => {
      const offered = actionFeatures(action);
      let score = 0;
      for (const [g, x] of known) {
        for (const [h, y] of offered) score += (this.#weights.get((crossed(g, h) & mask) >>> 0) ?? 0) * (x * y);
      }
      return score;
    });
  }

  /** The probability with which to show each action: log them as they are. */
  probabilities(context, actions) {
    if (actions.length === 0) throw new RangeError("there is nothing to choose from: give at least one action");
    if (this.#document === null) return actions.map(() => 1 / actions.length);
    const shares = explored(this.scores(context, actions), this.#document.exploration);
    const concerned = contextFeatures(context, this.#document.context_crosses).some(([h]) => this.#doubtful.has(h));
    return concerned ? raised(shares, this.#document.in_doubt.floor) : shares;
  }
}

/** What to act by until there is a policy. */
Policy.uniform = new Policy(null);

const ascending = (values) => values.every((value, place) => place === 0 || values[place - 1] < value);
const hash = integer(0, 2 ** 32 - 1);
const version = integer(0, Number.MAX_SAFE_INTEGER);
const RANGES = { "epsilon-greedy": [0, 1], squarecb: [0, 1e100], softmax: [1e-100, 1e100] };

const weights = members({ indices: listOf(hash), values: listOf(number(-1e100, 1e100)) });
const wellFormed = members(
  {
    schema_version: (value) => value === 1,
    kind: (value) => value === "policy",
    model: text,
    version,
    parent: orNull(version),
    features: text,
    bits: integer(1, 32),
    context_crosses: flag,
    shared_weights: flag,
    exploration: members({ kind: (value) => Object.hasOwn(RANGES, value), parameter: number(-Infinity, Infinity) }),
    bandit: weights,
    inverse_kinematics: orNull(weights),
    configuration: text,
    checksum: text,
  },
  {
    constant_beside_numbers: flag,
    in_doubt: members({ floor: number(0, 1), features: listOf(hash) }),
    lineage: text,
  },
);

/** Returns the document of a model in these bytes. Rejects with PolicyError where nothing may be decided by it. */
export async function read(model, content) {
  let document;
  try {
    document = parsed(content);
  } catch (error) {
    throw new PolicyError(`not JSON (${error.message})`);
  }
  if (!wellFormed(document)) throw new PolicyError("not a policy of schema 1, or with members that are not known");
  const end = new TextDecoder("latin1").decode(content.subarray(-66));
  const unsigned = new Uint8Array(content.length - 64);
  unsigned.set(content.subarray(0, -66));
  unsigned.set(content.subarray(-2), unsigned.length - 2);
  if (end !== `${document.checksum}"}` || (await sha256(unsigned)) !== document.checksum) {
    throw new PolicyError("the checksum does not fit");
  }
  if (document.model !== model) throw new PolicyError(`a policy of ${document.model} under the key of ${model}`);
  for (const table of [document.bandit, document.inverse_kinematics]) {
    if (table === null) continue;
    if (table.indices.length !== table.values.length) throw new PolicyError("not as many indices as weights");
    if (!ascending(table.indices)) throw new PolicyError("indices do not ascend");
    if (table.indices.some((index) => index >= 2 ** document.bits)) throw new PolicyError("an index beyond the bits");
  }
  if (!ascending(document.in_doubt?.features ?? [])) throw new PolicyError("the features in doubt do not ascend");
  const { kind, parameter } = document.exploration;
  if (!number(...RANGES[kind])(parameter)) throw new PolicyError(`${kind} with the parameter ${parameter}`);
  return document;
}

/** The SHA-256 of bytes, in hexadecimal digits. */
export async function sha256(content) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
