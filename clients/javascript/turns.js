/** Takes steps one after the other, in the order in which they were asked for, though each takes its time. */
export class Turns {
  #last = Promise.resolve();

  take(step) {
    const taken = this.#last.then(step);
    this.#last = taken.catch(() => {});
    return taken;
  }
}
