import type { Progress } from '../../schemas/progress.ts';

interface Sample {
  at: number;
  step: number;
}

const windowMs = 60_000;

/** How fast one node goes, by its heartbeats of the last minute. Forgets all when the work starts over. */
export class Pace {
  #samples: Sample[] = [];
  #of = 0;

  /** `at` in milliseconds, of the heartbeat itself; the same heartbeat may be added many times. */
  add(at: number, { step, of }: Progress): void {
    const last = this.#samples.at(-1);
    if (last && at <= last.at) return;
    if (of !== this.#of || (last && step < last.step)) this.#samples = [];
    this.#of = of;
    this.#samples.push({ at, step });
    // Two samples are kept however old: a slow node beats less than once a minute.
    while (this.#samples.length > 2 && (this.#samples[1]?.at ?? 0) < at - windowMs) this.#samples.shift();
  }

  /**
   * Seconds until the last step at this pace, as seen at `now`; undefined until there is a pace, and where
   * the time is up and the work is not done: then the pace no longer holds, as in a last part that is slower.
   */
  secondsLeft(now: number): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || last.step <= first.step) return undefined;
    const perStep = (last.at - first.at) / (last.step - first.step);
    const left = (perStep * (this.#of - last.step) - (now - last.at)) / 1000;
    return left > 0 || last.step === this.#of ? Math.max(0, left) : undefined;
  }
}
