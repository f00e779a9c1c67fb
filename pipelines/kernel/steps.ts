import type { Progress } from '../../schemas/progress.ts';

/**
 * A computation that stops at safe points. Synchronous, so that a test can drain it; an async stage body
 * runs it with `yield*`, which hands every safe point on to the runner.
 */
export type Steps<T> = Generator<Progress, T, void>;

/** The same where the work itself is asynchronous: tensors, files. */
export type AsyncSteps<T> = AsyncGenerator<Progress, T, void>;

/** Runs a computation to its end without looking at its safe points. */
export function drain<T>(steps: Steps<T>): T {
  for (;;) {
    const next = steps.next();
    if (next.done) return next.value;
  }
}

/** The same for one that is asynchronous. */
export async function drainAsync<T>(steps: AsyncGenerator<unknown, T, void>): Promise<T> {
  for (;;) {
    const next = await steps.next();
    if (next.done) return next.value;
  }
}

const grain = 1000;

/** Progress of phase `at` of `of`, as progress of the whole. */
const scaled = ({ step, of: all }: Progress, name: string, at: number, of: number): Progress => ({
  step: at * grain + Math.round((grain * step) / all),
  of: of * grain,
  phase: name,
});

/** The same for a stage whose phases have very different costs: all of them by name. */
const scaledPart = (progress: Progress, names: readonly string[], index: number): Progress => ({
  ...scaled(progress, names[index] ?? '', index, names.length),
  part: { names: [...names], index, share: Math.min(1, progress.step / progress.of) },
});

/** Safe points of one phase out of `of`, so that progress runs once from start to end over all of them. */
export function* phase<T>(name: string, at: number, of: number, steps: Steps<T>): Steps<T> {
  for (;;) {
    const next = steps.next();
    if (next.done) return next.value;
    yield scaled(next.value, name, at, of);
  }
}

/** Hands on what `steps` yields changed; their `finally` blocks run when they are broken off. */
async function* mapped<T>(steps: AsyncSteps<T>, change: (progress: Progress) => Progress): AsyncSteps<T> {
  let ended = false;
  try {
    for (;;) {
      const next = await steps.next();
      ended = next.done === true;
      if (next.done) return next.value;
      yield change(next.value);
    }
  } finally {
    // Nothing reads the result of a generator that is broken off: any value will do.
    if (!ended) await steps.return(undefined as T);
  }
}

/** The same for one that is asynchronous. */
export const asyncPhase = <T>(name: string, at: number, of: number, steps: AsyncSteps<T>): AsyncSteps<T> =>
  mapped(steps, (progress) => scaled(progress, name, at, of));

/**
 * Safe points of part `index` of a stage, out of the parts of these names: their costs differ, so that the
 * time left is estimated part by part. One more safe point at its beginning and its end each, as a part may
 * have none itself.
 */
export async function* asyncParts<T>(
  names: readonly string[],
  index: number,
  steps: AsyncSteps<T>,
): AsyncSteps<T> {
  yield scaledPart({ step: 0, of: 1 }, names, index);
  const result = yield* mapped(steps, (progress) => scaledPart(progress, names, index));
  yield scaledPart({ step: 1, of: 1 }, names, index);
  return result;
}
