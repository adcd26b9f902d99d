// What members of a document may be: functions that say whether a value is.

export const text = (value) => typeof value === "string";
export const flag = (value) => typeof value === "boolean";
export const integer = (least, most) => (value) => Number.isSafeInteger(value) && value >= least && value <= most;
export const number = (least, most) => (value) => typeof value === "number" && value >= least && value <= most;
export const listOf = (each) => (value) => Array.isArray(value) && value.every(each);
export const orNull = (other) => (value) => value === null || other(value);
/** A text of 1 to so many characters, each a code point. */
export const textUpTo = (most) => (value) => text(value) && value !== "" && Array.from(value).length <= most;

/** An object of these members and no others. */
export const members = (required, optional = {}) => (value) =>
  value !== null && typeof value === "object" && !Array.isArray(value) &&
  Object.keys(required).every((name) => Object.hasOwn(value, name)) &&
  Object.entries(value).every(([name, held]) =>
    Object.hasOwn(required, name) ? required[name](held) : Object.hasOwn(optional, name) && optional[name](held));

/** Returns what the JSON in these bytes, which are UTF-8, says. Throws a SyntaxError or TypeError where they are not. */
export const parsed = (content) => JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content));
