// Features as hashes: [hash, value] for each. A hash is an unsigned 32-bit number.

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});
const UTF8 = new TextEncoder();

function fmix32(h) {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export function hashed(text) {
  let crc = 0xffffffff;
  for (const byte of UTF8.encode(text)) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  return fmix32(~crc);
}

export const crossed = (g, h) => fmix32((Math.imul(g, 0x9e3779b1) + h) | 0);

// JavaScript sorts by UTF-16; the format's order is that of code points, which differ from U+E000 on.
function byCodePoint(one, other) {
  const [left, right] = [Array.from(one), Array.from(other)];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    if (left[at] !== right[at]) return left[at].codePointAt(0) - right[at].codePointAt(0);
  }
  return left.length - right.length;
}

function named(features) {
  const found = [];
  for (const name of Object.keys(features).sort(byCodePoint)) {
    const value = features[name];
    if (typeof value === "string" || typeof value === "boolean") {
      found.push([hashed(`${name}=${value}`), 1]);
    } else if (Number.isFinite(value)) {
      if (Math.abs(value) >= 1e-9) found.push([hashed(name), Math.max(-1e9, Math.min(1e9, value))]);
    } else {
      throw new TypeError(`the feature ${name} is no text, no boolean and no finite number: leave it out`);
    }
  }
  return found;
}

/** All features of a context, the constant first, crosses of pairs last. */
export function contextFeatures(context, crosses) {
  const singles = named(context);
  const found = [[0, 1], ...singles];
  for (let i = 0; crosses && i < singles.length; i++) {
    for (let j = i + 1; j < singles.length; j++) {
      found.push([crossed(singles[i][0], singles[j][0]), singles[i][1] * singles[j][1]]);
    }
  }
  return found;
}

export const actionFeatures = ({ id, features = {} }) => [[hashed(`=${id}`), 1], ...named(features)];
