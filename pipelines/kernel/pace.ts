import { setImmediate } from 'node:timers/promises';

/** Milliseconds of work after which the event loop gets its turn. */
const slice = 50;

/** Lets heartbeats and signals through between operations, which are all synchronous. Changes no result. */
export class Pace {
  #since = performance.now();

  /** Waits one turn of the event loop if the last turn is long enough ago. */
  async rest(): Promise<void> {
    if (performance.now() - this.#since < slice) return;
    await setImmediate();
    this.#since = performance.now();
  }
}
