import type { Weight } from '../network/weight-layout.ts';

/**
 * The weights by which codes tell later ones of their visit that they are present. HALO without them is the paper's
 * ablation HALO-Coarse in kind: each code's probability from the history alone, P(c | v₁ … vₜ₋₁).
 */
export const isBetweenCodes = (name: string): boolean => /^ehr_head\.auto1\.(diagonal|rest)\./.test(name);

/** Fresh values, of which codes learn nothing of each other inside a visit. */
export const coarseValues =
  (initial: (part: Weight) => Float32Array) =>
  (part: Weight): Float32Array =>
    isBetweenCodes(part.name) ? new Float32Array(initial(part).length) : initial(part);
