// What apps import. docs/policy-format.md says what all of it does, in any language.
export { Acting } from "./acting.js";
export { NewestControl } from "./newest_control.js";
export { NewestPolicy } from "./newest_policy.js";
export { Policy, PolicyError } from "./policy.js";
export { draw } from "./exploration.js";
