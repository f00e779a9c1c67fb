import type { Progress } from '../../schemas/progress.ts';

/** Which part of a longer computation this is: number `at` of `of` equal ones. */
export interface Portion {
  name: string;
  at: number;
  of: number;
}

const grain = 10_000;

/** A safe point at `done` (0 to 1) of a portion, so that progress runs once from start to end over all of them. */
export const progressOf = ({ name, at, of }: Portion, done: number): Progress => ({
  step: Math.round((at + done) * grain),
  of: of * grain,
  phase: name,
});
