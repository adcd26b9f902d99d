// Values that lie in one record or in several. Keys are texts with a character for each byte.
import { PolicyError, sha256 } from "./policy.js";

const UTF8 = new TextEncoder();
const LATIN1 = new TextDecoder("latin1");

/** The key of a record, or that of a text, with a character for each byte. */
export const bytewise = (key) => LATIN1.decode(typeof key === "string" ? UTF8.encode(key) : key);

/** Says whether a key is that of a value, or of a piece of it. */
export function isOf(key, name) {
  return name === key || (name.startsWith(`${key}\0`) && /^[01]\0(0|[1-9]\d{0,2})$/.test(name.slice(key.length + 1)));
}

/** Resolves to the value under a key from the newest record of each key; to null while it is not complete. */
export async function whole(key, records) {
  const head = records.get(key) ?? null;
  if (head === null || !LATIN1.decode(head).startsWith('{"kind":"chunked"')) return head;
  const { slot, chunks, sha256: expected } = manifest(head);
  const pieces = [];
  for (let number = 0; number < chunks; number++) {
    const piece = records.get(`${key}\0${slot}\0${number}`) ?? null;
    if (piece === null) return null;
    pieces.push(piece);
  }
  const value = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    value.set(piece, at);
    at += piece.length;
  }
  return (await sha256(value)) === expected ? value : null;
}

function manifest(head) {
  let found;
  try {
    found = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(head));
  } catch (error) {
    throw new PolicyError(`not a manifest of chunks (${error.message})`);
  }
  const { slot, chunks, sha256: digest } = found;
  const right = (slot === 0 || slot === 1) && Number.isInteger(chunks) && chunks >= 1 && chunks <= 1000;
  if (!right || typeof digest !== "string" || !/^[0-9a-f]{64}$/.test(digest)) {
    throw new PolicyError("not a manifest of chunks");
  }
  return found;
}
