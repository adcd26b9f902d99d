// The types of what index.js exports, for programs in TypeScript.

/** Text, a number that is finite, true or false: what is not known is left out. */
export type FeatureValue = string | number | boolean;
export type Features = Readonly<Record<string, FeatureValue>>;

/** One of the things that could be shown. */
export interface Action {
  readonly id: string;
  readonly features?: Features;
}

/** A record of the topic `policies`, as any client reads it. */
export interface PolicyRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: { readonly signature?: BufferSource | readonly BufferSource[]; readonly [name: string]: unknown };
}

/** A document that may not be decided by; the message says why. */
export class PolicyError extends Error {}

/** Decides by the weights of a snapshot; `Policy.uniform` by chance. Policies are made by `NewestPolicy`. */
export class Policy {
  private constructor();

  /** What to act by until there is a policy. */
  static readonly uniform: Policy;

  /** How many interactions it has learned from: the policy_version of impressions. null where it is chance. */
  readonly version: number | null;

  /** The predicted reward of each action. */
  scores(context: Features, actions: readonly Action[]): number[];

  /** The probability with which to show each action: log them as they are. */
  probabilities(context: Features, actions: readonly Action[]): number[];
}

/** The newest policy of one model among the records of the topic `policies`. */
export class NewestPolicy {
  /** With public keys (PEM) in `trusted`, what none of them has signed is passed over. */
  constructor(model: string, options?: { readonly trusted?: readonly string[] });

  /** The one to decide by: chance, until there is one. */
  readonly policy: Policy;

  /** How many records were passed over that no worker publishes. */
  readonly refused: number;

  /** Takes in one record; resolves to whether it completes a newer policy. */
  offer(record: PolicyRecord): Promise<boolean>;
}

/** Returns the index that a number u, uniform in [0, 1), draws: Math.random() is one. */
export function draw(probabilities: readonly number[], u: number): number;
