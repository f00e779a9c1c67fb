/**
 * Where rows begin, in encoder and decoder alike: prompt rows and token embeddings, plus learned positions,
 * normalized. R rows, E width, T tokens of the shared table.
 */
import {
  deliver,
  layerNorm,
  layerNormBackward,
  type Norm,
  type NormTrace,
  type Update,
} from '../../../nn/layers/layers.ts';
import type { Ops, Tensor, Variable } from '../../../nn/ops/ops.ts';
import { pairOf } from './block-parameters.ts';
import type { Drop } from './blocks.ts';
import type { SideRows } from './side-rows.ts';
import type { Side } from './weight-layout.ts';

export interface Stem {
  tokens: Variable; // [T, E], one table for both sides
  positions: Variable; // [positions + 2, E]
  norm: Norm;
}

/** A side's stem by its names in the reference. */
export const stemOf = (side: Side, find: (name: string) => Variable): Stem => ({
  tokens: find('model.shared.weight'),
  positions: find(`model.${side}.embed_positions.weight`),
  norm: pairOf(find, `model.${side}.layernorm_embedding`),
});

export interface StemTrace {
  norm: NormTrace;
  mask: Tensor | undefined;
  out: Tensor; // [R, E]
}

/** `prompts` are the first rows, where there are any. */
export const stemForward = (
  ops: Ops,
  stem: Stem,
  rows: SideRows,
  prompts: Tensor | undefined,
  drop?: Drop,
): StemTrace => {
  const parts = [
    ...(prompts ? [prompts] : []),
    ...(rows.tokens.shape[0] === 0 ? [] : [ops.gather(stem.tokens, rows.tokens)]),
  ];
  const placed = ops.add(ops.concat(parts, 0), ops.gather(stem.positions, rows.positions));
  const norm = layerNorm(ops, stem.norm, placed);
  const mask = drop?.(norm.out.shape);
  return { norm, mask, out: mask ? ops.multiply(norm.out, mask) : norm.out };
};

/** dy [R, E] → gradient of the rows before positions were added [R, E]: prompts first, then tokens. */
export const stemBackward = (
  ops: Ops,
  stem: Stem,
  rows: SideRows,
  { norm, mask }: StemTrace,
  dy: Tensor,
  update: Update,
): Tensor => {
  const dNormal = mask ? ops.multiply(dy, mask) : dy;
  const d = layerNormBackward(ops, stem.norm, norm, dNormal, update);
  const own = ops.uploadIndices(Int32Array.from({ length: rows.rows }, (_, i) => i));
  const [count] = stem.positions.shape as [number];
  deliver(ops, update, stem.positions, ops.segmentSumGradient(d, rows.positions, own, count));
  return d;
};
