import type { Ops, Tensor } from '../ops/ops.ts';

const isTensor = (value: object): value is Tensor => 'id' in value && 'shape' in value;

/** Every tensor in a trace, however deep. */
const tensorsOf = (trace: object): Tensor[] => {
  if (isTensor(trace)) return [trace];
  return Object.values(trace).flatMap((value) =>
    typeof value === 'object' && value !== null ? tensorsOf(value) : [],
  );
};

/**
 * What `work` remembers of a forward pass, everything else it made freed: a trace costs what its backward
 * needs.
 */
export const tidyTrace = <T extends object>(ops: Ops, work: () => T): T => {
  let trace: T | undefined;
  ops.tidy(() => {
    trace = work();
    return tensorsOf(trace);
  });
  return trace as T;
};

/** Frees a trace that no backward will read any more. */
export const freeTrace = (ops: Ops, trace: object): void => {
  for (const tensor of tensorsOf(trace)) ops.free(tensor);
};
