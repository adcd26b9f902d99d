import { bytewise, isOf, whole } from "./chunked.js";
import { Policy, PolicyError, read } from "./policy.js";
import { Signatures } from "./signatures.js";
import { Turns } from "./turns.js";

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
  #signatures;
  #records = new Map();
  #turns = new Turns();

  constructor(model, { trusted = [] } = {}) {
    this.#model = model;
    this.#key = bytewise(model);
    this.#signatures = new Signatures("policies", trusted);
  }

  /**
   * Takes in one record: key and value are bytes or null, headers an object. Resolves to whether it completes a newer
   * policy. Records are taken in one after the other, in the order of the calls.
   */
  offer({ key, value, headers = {} }) {
    return this.#turns.take(() => this.#take(key, value, headers));
  }

  async #take(key, value, headers) {
    if (key === null) return false;
    const name = bytewise(key);
    if (!isOf(this.#key, name)) return false;
    try {
      if (value !== null) await this.#signatures.demand(key, value, headers);
      this.#records.set(name, value);
      const content = name === this.#key ? await whole(name, this.#records) : null;
      if (content === null) return false;
      const document = await read(this.#model, content);
      if (this.policy.version !== null && document.version <= this.policy.version) return false;
      this.policy = new Policy(document);
      return true;
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      this.refused += 1;
      console.warn(`passed over a policy of ${this.#model}: ${error.message}`);
      return false;
    }
  }
}
