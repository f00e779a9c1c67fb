/**
 * How much memory a training takes at most, before it begins. Everything is counted in arrays that are alive
 * together; what depends on the records is that of the first epoch's largest batch.
 */

import { layoutOf, type RecordSets } from '../../../generation/record-sets.ts';
import { memoryOf, type TrainingMemory } from '../../../nn/training/training-memory.ts';
import type { Architecture } from '../network/architecture.ts';
import { shareLines } from '../network/batch.ts';
import { allWeights, referenceShapes } from '../network/weight-layout.ts';
import type { HaloSettings } from './config.ts';

const bytesPerNumber = 4;
const mebibyte = 2 ** 20;

/** What compiled code, allocators and uncollected garbage took beside the arrays, at all sizes measured. */
const slack = 80 * mebibyte;

const size = (shape: readonly number[]): number => shape.reduce((product, width) => product * width, 1);

/** Histories of a batch, its rows, and what a step of its transformer makes; see Batch. */
const extentOf = ({ layers, heads, embedding }: Architecture, batch: readonly RecordSets[]) => {
  const own = batch.map((sets) => sets.length - 1);
  const lines = shareLines(own.map((count) => count - 1));
  const length = Math.max(...lines.map((line) => line.rows));
  const rows = own.reduce((a, b) => a + b);
  const histories = rows - batch.length + 1;
  const cells = lines.length * length;
  // A block keeps its norms, attention's inputs and outputs, and four arrays of the wide layer; heads keep
  // their grid.
  const block = 23 * histories * embedding + 3 * cells * embedding + heads * cells * length;
  return { rows, histories, numbers: layers * block };
};

/** Numbers that a step of the largest of these batches makes, with a head that makes so many. */
const largestBatch = (
  architecture: Architecture,
  batches: readonly (readonly RecordSets[])[],
  head: (extent: { rows: number; histories: number }) => number,
): number =>
  batches
    .map((batch) => extentOf(architecture, batch))
    .reduce((most, extent) => Math.max(most, extent.numbers + head(extent)), 0);

/** The memory of halo-coarse: its head keeps the log-odds of all rows, targets and slopes. */
export const coarseMemory = (
  architecture: Architecture,
  sizes: readonly number[],
  batches: readonly (readonly RecordSets[])[],
  keepsBest: boolean,
): TrainingMemory => {
  const { width } = layoutOf(architecture);
  const batch = largestBatch(architecture, batches, ({ rows }) => 8 * rows * width);
  return memoryOf(
    sizes.reduce((a, b) => a + b),
    batch + 2 * Math.max(...sizes),
    keepsBest,
  );
};

/** `batches`: those of the first epoch; `keepsBest`: validation keeps the best weights. */
export const memoryNeed = (
  architecture: Architecture,
  { blockColumns }: Pick<HaloSettings, 'blockColumns'>,
  batches: readonly (readonly RecordSets[])[],
  keepsBest: boolean,
): TrainingMemory => {
  const parts = allWeights(architecture, blockColumns).map(({ shape }) => size(shape));
  const weights = parts.reduce((a, b) => a + b) * bytesPerNumber;
  const moments = 2 * weights;
  const best = keepsBest ? weights : 0;
  const { width, codes } = layoutOf(architecture);
  // Sums, hidden units, log-odds, targets, slopes; those of all rows for the columns behind the codes only.
  const head = ({ rows, histories }: { rows: number; histories: number }) =>
    12 * histories * (architecture.embedding + width) + 8 * rows * (width - codes);
  // The gradient of one weight, and what of it lies in the triangle.
  const made = largestBatch(architecture, batches, head) + 2 * Math.max(...parts);
  const step = made * bytesPerNumber;
  const reference = Object.values(referenceShapes(architecture)).reduce((sum, shape) => sum + size(shape), 0);
  // A checkpoint holds what lives, once; the model's tensors are held beside their bytes.
  const written = Math.max(weights + moments + best, 2 * reference * bytesPerNumber);
  return {
    weights,
    moments,
    // A part's gradient is used and freed before the next is made.
    gradients: 0,
    best,
    batch: step,
    written,
    total: weights + moments + best + step + written + slack,
  };
};

/** What would make it less. */
export const adviceOf = ({ layers, embedding, batch, blockColumns }: HaloSettings): string =>
  `set a smaller model (layers: ${layers}, embedding: ${embedding}; or leave out \`preset: paper\`), ` +
  `fewer codes in the vocabulary, a smaller batch (${batch}) or blockColumns (${blockColumns})`;
