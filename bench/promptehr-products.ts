import { promptRows } from '../pipelines/generators/promptehr/network/architecture.ts';
import type { PromptNetwork } from '../pipelines/generators/promptehr/network/network.ts';
import { type SpanBatch, sequenceCount } from '../pipelines/generators/promptehr/network/sequences.ts';
import { rowsByHead } from '../pipelines/generators/promptehr/network/span-heads.ts';
import type { Ops } from '../pipelines/nn/ops/ops.ts';

const size = 2048;

/** Operations of a learning step's products with the matrices of blocks and heads: one forward, two backward. */
export const stepOperations = ({ architecture, weights }: PromptNetwork, batch: SpanBatch): number => {
  const prompts = sequenceCount(batch.contexts) * promptRows(architecture);
  const encoder = prompts + batch.contexts.tokens.length;
  const decoder = prompts + batch.spans.tokens.length;
  let cells = 0;
  for (const { name, shape } of weights) {
    if (shape.length < 2 || !/\.layers\.\d/.test(name)) continue;
    const reads = name.includes('.encoder.') || name.includes('remember') ? encoder : decoder;
    cells += reads * (shape[0] as number) * (shape[1] as number);
  }
  for (const { head, rows } of rowsByHead(batch, architecture.heads.length))
    cells += rows.length * architecture.width * (architecture.heads[head]?.tokens.length ?? 0);
  return 6 * cells;
};

/** Operations a second of processor time, at most, of a product of two large matrices: [float32, bfloat16]. */
export const productPeak = (ops: Ops, processor: () => number): [number, number] => {
  const values = Float32Array.from({ length: size * size }, (_, i) => Math.sin(i));
  const best = (multiply: () => void): number => {
    multiply();
    const times = Array.from({ length: 3 }, () => {
      const start = processor();
      multiply();
      return processor() - start;
    });
    return (2 * size ** 3) / Math.min(...times);
  };
  return ops.scope((): [number, number] => {
    const a = ops.upload(values, [size, size]);
    const exact = best(() => ops.free(ops.matMul(a, a)));
    const short = ops.rounded;
    if (!short) return [exact, exact];
    const rounded = short.round(a);
    return [exact, best(() => ops.free(short.multiply(rounded, rounded)))];
  });
};
