import { sideOf } from "./canary.js";
import { Policy } from "./policy.js";

/**
 * What apps act by at one moment: the control in force, and the policy that it names. Never changed.
 *
 * While it is not `known` yet whether there is a control, no policy decides: it might be one that must not.
 */
export class Acting {
  #pinned;

  constructor(control = null, pinned = Policy.uniform, known = false) {
    this.control = control;
    this.known = known;
    this.#pinned = pinned;
    Object.freeze(this);
  }

  /** The mode of the control, "online" without one; null while it is not known. */
  get mode() {
    return this.known ? (this.control?.mode ?? "online") : null;
  }

  /** The same when this control has been read and this policy beside it, which counts from when the control names it. */
  by(control, beside) {
    const named = control?.policy_version ?? null;
    const taken = named !== null && named !== this.#pinned.version && named === beside.version;
    return new Acting(control, taken ? beside : this.#pinned, this.known);
  }

  /** The same when the topic has been read to its end. */
  atTheEnd() {
    return new Acting(this.control, this.#pinned, true);
  }

  /**
   * Returns { policy, mode, side }: what decides in a context where `newest` is the newest policy, and what an impression
   * says of it. Policy.uniform stands for no policy: the app's own rule decides, and chance without one.
   */
  chosen(context, newest) {
    const { mode, control } = this;
    switch (mode) {
      case "online":
        return { policy: newest, mode, side: null };
      case "frozen":
        return { policy: this.#named(), mode, side: null };
      case "canary": {
        const side = sideOf(control.model, control.canary, context);
        return { policy: side === "canary" ? newest : this.#named(), mode, side };
      }
      default:
        return { policy: Policy.uniform, mode, side: null };
    }
  }

  #named() {
    return this.#pinned.version === this.control.policy_version ? this.#pinned : Policy.uniform;
  }
}
