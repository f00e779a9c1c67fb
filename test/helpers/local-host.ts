import type { Host } from '../../activities/safe-points.ts';

export interface LocalHost extends Host {
  steps: number[];
  /** Phase of every beat, in order. */
  phases: string[];
  warnings: string[];
}

/** A host without Temporal that notes what it hears, and may pull the plug after a step. */
export const localHost = (changes: Partial<Host> & { stopAfter?: number } = {}): LocalHost => {
  const { stopAfter, ...rest } = changes;
  const steps: number[] = [];
  const phases: string[] = [];
  const warnings: string[] = [];
  const abort = new AbortController();
  return {
    steps,
    phases,
    warnings,
    signal: abort.signal,
    beat: ({ step, phase = '' }) => {
      steps.push(step);
      phases.push(phase);
      if (step === stopAfter) abort.abort(new Error('machine lost'));
    },
    attempt: 1,
    owner: 'run/1',
    run: 'test-run',
    log: {
      info: () => undefined,
      debug: () => undefined,
      warn: (...said: unknown[]) => warnings.push(said.map((part) => JSON.stringify(part)).join(' ')),
    },
    ...rest,
  };
};
