// The types of what index.js exports, for programs in TypeScript.

/** Text, a number that is finite, true or false: what is not known is left out. */
export type FeatureValue = string | number | boolean;
export type Features = Readonly<Record<string, FeatureValue>>;

/** One of the things that could be shown. */
export interface Action {
  readonly id: string;
  readonly features?: Features;
}

/** A record of the topic `policies` or `controls`, as any client reads it. */
export interface PolicyRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: { readonly signature?: BufferSource | readonly BufferSource[]; readonly [name: string]: unknown };
}

/** A document that may not be decided by, or be acted by; the message says why. */
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

export type Mode = "log-only" | "apprentice" | "canary" | "online" | "frozen";
export type Side = "canary" | "rest";

/** By which snapshot the apps of a model act: a document of the topic `controls`. */
export interface Control {
  readonly schema_version: 1;
  readonly model: string;
  readonly version: number;
  readonly mode: Mode;
  readonly by: string;
  readonly at: number;
  readonly why: string;
  readonly canary: { readonly feature: string; readonly percent: number } | null;
  readonly policy_version: number | null;
}

/** What decides in a context, and what its impression says of it. */
export interface Chosen {
  /** `Policy.uniform` where none decides: then the app's own rule does, and chance without one. */
  readonly policy: Policy;
  /** null while it is not known whether there is a control. */
  readonly mode: Mode | null;
  /** In the mode `canary`. */
  readonly side: Side | null;
}

/** What to act by at one moment. It does not change. `NewestControl` makes them. */
export class Acting {
  private constructor();
  readonly control: Control | null;
  readonly mode: Mode | null;
  /** Returns what decides in a context, where `newest` is the newest policy. */
  chosen(context: Features, newest: Policy): Chosen;
}

/** The control of one model among the records of the topic `controls`, and the policy beside it. */
export class NewestControl {
  /** With public keys (PEM) in `trusted`, what none of them has signed is passed over. */
  constructor(model: string, options?: { readonly trusted?: readonly string[] });

  /** What to act by at this moment. */
  readonly acting: Acting;

  /** How many records were passed over that are no controls, or older ones. */
  readonly refused: number;

  /** Takes in one record. */
  offer(record: PolicyRecord): Promise<void>;

  /** Says that the topic has been read to its end, or that there is none: until then no policy decides. */
  readToItsEnd(): Promise<void>;
}

/** Returns the index that a number u, uniform in [0, 1), draws: Math.random() is one. */
export function draw(probabilities: readonly number[], u: number): number;
