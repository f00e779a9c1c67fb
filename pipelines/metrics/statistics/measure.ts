import type { Interval } from './bootstrap.ts';

/** One number with what it is computed over, or `null` and the sentence that says why there is none. */
export interface Measure {
  value: number | null;
  /** Patients (or pairs, or codes) the value is computed over. */
  n: number;
  /** Percentile bootstrap over patients; absent where no bootstrap was asked for or possible. */
  interval?: Interval;
  note?: string;
  /** There are too few patients for the value to be held against a limit; the note states of which. */
  unresolved?: true;
}

/** A value that is there, with its interval where there is one. */
export const measured = (value: number, n: number, interval?: Interval): Measure =>
  interval ? { value, n, interval } : { value, n };

/** A measure that cannot be had. */
export const missing = (note: string, n = 0): Measure => ({ value: null, n, note });
