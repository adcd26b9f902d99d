import { integer, members, number, orNull, parsed, text, textUpTo } from "./document.js";
import { PolicyError } from "./policy.js";

const MOST_BYTES = 10_000;
const LATEST = 253_402_300_799_999; // the end of the year 9999
const MODES = ["log-only", "apprentice", "canary", "online", "frozen"];

const wellFormed = members(
  {
    schema_version: (value) => value === 1,
    model: text,
    version: integer(1, Number.MAX_SAFE_INTEGER),
    mode: (value) => MODES.includes(value),
    by: textUpTo(1_024),
    at: integer(0, LATEST),
    why: textUpTo(1_024),
  },
  {
    canary: orNull(members({ feature: textUpTo(128), percent: number(0, 100) })),
    policy_version: orNull(integer(1, Number.MAX_SAFE_INTEGER)),
  },
);

/** Returns the control of a model in these bytes. Throws PolicyError where nobody may act by it. */
export function readControl(model, content) {
  if (content.length > MOST_BYTES) throw new PolicyError(`${content.length} bytes are more than a control has`);
  let control;
  try {
    control = parsed(content);
  } catch (error) {
    throw new PolicyError(`not JSON (${error.message})`);
  }
  if (!wellFormed(control)) throw new PolicyError("not a control of schema 1, or with members that are not known");
  const { mode, canary = null, policy_version = null } = control;
  if (control.model !== model) throw new PolicyError(`a control of ${control.model} under the key of ${model}`);
  if ((canary !== null) !== (mode === "canary")) throw new PolicyError(`the mode ${mode} with or without a canary`);
  const names = policy_version !== null;
  if (mode === "frozen" ? !names : names && mode !== "canary") {
    throw new PolicyError(`the mode ${mode} with or without a policy_version`);
  }
  return { ...control, canary, policy_version };
}
