import { Policy, PolicyError, read, sha256 } from "./policy.js";

const UTF8 = new TextEncoder();
const LATIN1 = new TextDecoder("latin1"); // each byte a character: keys and heads are compared by it

/**
 * The newest policy of one model among the records of the topic `policies`, whatever client reads them.
 *
 * `policy` is the one to decide by: chance, until there is one. What no worker publishes is passed over and counted in
 * `refused`. With public keys (PEM) in `trusted`, so is what none of them has signed.
 */
export class NewestPolicy {
  policy = Policy.uniform;
  refused = 0;
  #model;
  #key;
  #keys;
  #records = new Map();
  #turn = Promise.resolve();

  constructor(model, { trusted = [] } = {}) {
    this.#model = model;
    this.#key = LATIN1.decode(UTF8.encode(model));
    this.#keys = trusted.length === 0 ? null : Promise.all(trusted.map(imported));
  }

  /**
   * Takes in one record: key and value are bytes or null, headers an object. Resolves to whether it completes a newer
   * policy. Records are taken in one after the other, in the order of the calls.
   */
  offer({ key, value, headers = {} }) {
    const taken = this.#turn.then(() => this.#take(key, value, headers));
    this.#turn = taken.catch(() => {});
    return taken;
  }

  async #take(key, value, headers) {
    if (key === null) return false;
    const name = LATIN1.decode(key);
    if (name !== this.#key && !this.#isChunk(name)) return false;
    try {
      if (value !== null && this.#keys !== null) await this.#trust(key, value, headers);
      this.#records.set(name, value);
      const document = name === this.#key ? await this.#whole(value) : null;
      if (document === null || (this.policy.version !== null && document.version <= this.policy.version)) return false;
      this.policy = new Policy(document);
      return true;
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      this.refused += 1;
      console.warn(`passed over a policy of ${this.#model}: ${error.message}`);
      return false;
    }
  }

  #isChunk(name) {
    return name.startsWith(`${this.#key}\0`) && /^[01]\0(0|[1-9]\d{0,2})$/.test(name.slice(this.#key.length + 1));
  }

  /** The document under the model's key, null while it is not complete. */
  async #whole(head) {
    if (head === null) return null;
    if (!LATIN1.decode(head).startsWith('{"kind":"chunked"')) return read(this.#model, head);
    const { slot, chunks, sha256: expected } = manifest(head);
    const pieces = [];
    for (let number = 0; number < chunks; number++) {
      const piece = this.#records.get(`${this.#key}\0${slot}\0${number}`) ?? null;
      if (piece === null) return null;
      pieces.push(piece);
    }
    const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return (await sha256(whole)) === expected ? read(this.#model, whole) : null;
  }

  async #trust(key, value, { signature }) {
    const said = UTF8.encode(`groundswell-record-1\npolicies\n0\n${key.length}\n`);
    const content = new Uint8Array(said.length + key.length + value.length);
    content.set(said);
    content.set(key, said.length);
    content.set(value, said.length + key.length);
    const signatures = signature === undefined ? [] : Array.isArray(signature) ? signature : [signature];
    for (const trusted of await this.#keys) {
      for (const one of signatures) if (await crypto.subtle.verify("Ed25519", trusted, one, content)) return;
    }
    throw new PolicyError("it is signed by none of the keys that are trusted");
  }
}

function manifest(head) {
  let found;
  try {
    found = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(head));
  } catch (error) {
    throw new PolicyError(`not a manifest of chunks (${error.message})`);
  }
  const { slot, chunks, sha256: digest } = found;
  const whole = (slot === 0 || slot === 1) && Number.isInteger(chunks) && chunks >= 1 && chunks <= 1000;
  if (!whole || typeof digest !== "string" || !/^[0-9a-f]{64}$/.test(digest)) {
    throw new PolicyError("not a manifest of chunks");
  }
  return found;
}

function imported(pem) {
  const base64 = pem.replace(/-----(BEGIN|END) PUBLIC KEY-----|\s/g, "");
  const der = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return crypto.subtle.importKey("spki", der, "Ed25519", false, ["verify"]);
}
