import { PolicyError } from "./policy.js";

const UTF8 = new TextEncoder();

/** Believes records that one of some public keys (PEM) has signed; without keys, all. */
export class Signatures {
  #topic;
  #keys;

  /** What is signed names the topic, "policies" or "controls". */
  constructor(topic, trusted) {
    this.#topic = topic;
    this.#keys = trusted.length === 0 ? null : Promise.all(trusted.map(imported));
  }

  /** Rejects with PolicyError where none of the keys has signed a record. */
  async demand(key, value, { signature }) {
    if (this.#keys === null) return;
    const said = UTF8.encode(`groundswell-record-1\n${this.#topic}\n0\n${key.length}\n`);
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

function imported(pem) {
  const base64 = pem.replace(/-----(BEGIN|END) PUBLIC KEY-----|\s/g, "");
  const der = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return crypto.subtle.importKey("spki", der, "Ed25519", false, ["verify"]);
}
