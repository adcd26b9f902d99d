import { Acting } from "./acting.js";
import { bytewise, isOf, whole } from "./chunked.js";
import { readControl } from "./control.js";
import { Policy, PolicyError, read } from "./policy.js";
import { Signatures } from "./signatures.js";
import { Turns } from "./turns.js";

/**
 * The control of one model among the records of the topic `controls`, and the policy beside it.
 *
 * `acting` is what to act by: by no policy, until `readToItsEnd` was called. What is none is passed over and counted in
 * `refused`, and so is what is older. With public keys (PEM) in `trusted`, so is what none of them has signed.
 */
export class NewestControl {
  acting = new Acting();
  refused = 0;
  #model;
  #key;
  #besideKey;
  #beside = Policy.uniform;
  #signatures;
  #records = new Map();
  #turns = new Turns();

  constructor(model, { trusted = [] } = {}) {
    this.#model = model;
    this.#key = bytewise(model);
    this.#besideKey = `${this.#key}\0pinned`;
    this.#signatures = new Signatures("controls", trusted);
  }

  /** Takes in one record: key and value are bytes or null, headers an object. One after the other, in the order of the calls. */
  offer({ key, value, headers = {} }) {
    return this.#turns.take(() => this.#take(key, value, headers));
  }

  /** Says that the topic has been read to its end, or that there is none: from now on policies decide. */
  readToItsEnd() {
    return this.#turns.take(() => {
      this.acting = this.acting.atTheEnd();
    });
  }

  async #take(key, value, headers) {
    if (key === null || value === null) return;
    const name = bytewise(key);
    if (name !== this.#key && !isOf(this.#besideKey, name)) return;
    try {
      await this.#signatures.demand(key, value, headers);
      let { control } = this.acting;
      if (name === this.#key) {
        control = this.#newer(readControl(this.#model, value));
      } else {
        this.#records.set(name, value);
        if (name === this.#besideKey) this.#beside = await this.#besideThat();
      }
      this.acting = this.acting.by(control, this.#beside);
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      this.refused += 1;
      console.warn(`passed over a control of ${this.#model}: ${error.message}`);
    }
  }

  #newer(control) {
    const inForce = this.acting.control?.version ?? 0;
    if (control.version < inForce) throw new PolicyError(`version ${control.version} is older than that in force, ${inForce}`);
    return control;
  }

  async #besideThat() {
    const content = await whole(this.#besideKey, this.#records);
    if (content === null) throw new PolicyError("the policy beside the control is not complete");
    return new Policy(await read(this.#model, content));
  }
}
