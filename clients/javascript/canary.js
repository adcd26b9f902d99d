// Who is in a canary: by model, feature and value alone, so that whoever is in stays in as it grows.
import { crossed, hashed } from "./features.js";

/** Where among all values of a feature this one lies, evenly in [0, 1); null where it tells nobody apart. */
export function placeOf(model, feature, value) {
  // Number.isSafeInteger: 2 ** 53 may have been 2 ** 53 + 1.
  if (typeof value !== "string" && typeof value !== "boolean" && !Number.isSafeInteger(value)) return null;
  return crossed(hashed(model), hashed(`${feature}=${value}`)) / 2 ** 32;
}

/** Returns "canary" for those for whom the newest policy decides, "rest" for all others and where the feature is not there. */
export function sideOf(model, { feature, percent }, context) {
  const place = Object.hasOwn(context, feature) ? placeOf(model, feature, context[feature]) : null;
  return place !== null && place < percent / 100 ? "canary" : "rest";
}
