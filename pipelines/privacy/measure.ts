import type { Progress } from '../../schemas/progress.ts';
import type { Interval } from '../statistics/bootstrap.ts';

/** One number with what it is computed over, or `null` and the sentence that says why there is none. */
export interface Measure {
  value: number | null;
  /** Patients (or pairs, or codes) the value is computed over. */
  n: number;
  /** Percentile bootstrap over patients; absent where no bootstrap was asked for or possible. */
  interval?: Interval;
  note?: string;
}

/**
 * A computation that stops at safe points. Synchronous, so that a test can drain it; an async stage body
 * runs it with `yield*`, which hands every safe point on to the runner.
 */
export type Steps<T> = Generator<Progress, T, void>;

/** `numerator / denominator`, or `null` with `note` where the denominator is zero: never NaN. */
export const ratio = (numerator: number, denominator: number, n: number, note: string): Measure =>
  denominator === 0 ? { value: null, n, note } : { value: numerator / denominator, n };

/** A value that is there, with its interval where there is one. */
export const measured = (value: number, n: number, interval?: Interval): Measure =>
  interval ? { value, n, interval } : { value, n };

/** A measure that cannot be had. */
export const missing = (note: string, n = 0): Measure => ({ value: null, n, note });

/** Runs a computation to its end without looking at its safe points. */
export function drain<T>(steps: Steps<T>): T {
  for (;;) {
    const next = steps.next();
    if (next.done) return next.value;
  }
}

/** Safe points of one phase out of `of`, so that progress runs once from start to end over all of them. */
export function* phase<T>(name: string, at: number, of: number, steps: Steps<T>): Steps<T> {
  const grain = 1000;
  for (;;) {
    const next = steps.next();
    if (next.done) return next.value;
    const within = Math.round((grain * next.value.step) / next.value.of);
    yield { step: at * grain + within, of: of * grain, phase: name };
  }
}
