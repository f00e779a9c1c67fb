/**
 * How much memory a training takes at most, before it begins. Everything is counted in arrays that are alive together;
 * what depends on the records is that of the first epoch's largest batch.
 */

import { requireTrainingMemory, type TrainingMemory } from '../../../nn/training/training-memory.ts';
import type { VisitColumns } from '../../../patients/visit-columns.ts';
import { type Architecture, layoutOf } from '../network/architecture.ts';
import { shareLines } from '../network/batch.ts';
import { allWeights, referenceShapes } from '../network/weight-layout.ts';
import type { HaloSettings } from './config.ts';

const bytesPerNumber = 4;
const mebibyte = 2 ** 20;

/** What compiled code, allocators and uncollected garbage took beside the arrays, at all sizes measured. */
const slack = 80 * mebibyte;

/** Rows of one batch; see Batch. */
interface BatchExtent {
  patients: number;
  rows: number;
  /** Of attention's scores. */
  lines: number;
  length: number;
}

/** A part's gradient is used and freed before the next is made. */
export type MemoryNeed = Omit<TrainingMemory, 'gradients'>;

const size = (shape: readonly number[]): number => shape.reduce((product, width) => product * width, 1);

/** Numbers that one step makes: what the backward pass needs of the forward pass, and its own. */
const batchNumbers = (
  architecture: Architecture,
  { patients, rows, lines, length }: BatchExtent,
  largestPart: number,
): number => {
  const { layers, heads, embedding } = architecture;
  const histories = rows - patients + 1;
  const cells = lines * length;
  const { width, codes } = layoutOf(architecture);
  const hidden = embedding + width;
  // A block keeps its norms, attention's inputs and outputs, and four arrays of the wide layer; heads keep their grid.
  const block = 23 * histories * embedding + 3 * cells * embedding + heads * cells * length;
  // Sums, hidden units, logits, targets, slopes; those of all rows for the columns behind the codes only.
  const head = 12 * histories * hidden + 8 * rows * (width - codes);
  // The gradient of one part, and what of it lies in the triangle.
  return layers * block + head + 2 * largestPart;
};

/** Most that a batch makes, of batches of these patients in this order. */
const largestBatch = (
  architecture: Architecture,
  { visitOffsets }: VisitColumns,
  order: Int32Array,
  batch: number,
  largestPart: number,
): number => {
  let most = 0;
  for (let first = 0; first < order.length; first += batch) {
    const rows = Array.from(order.subarray(first, first + batch), (patient) => {
      const visits = (visitOffsets[patient + 1] as number) - (visitOffsets[patient] as number);
      return Math.min(visits, architecture.maxVisits) + 1;
    });
    const lines = shareLines(rows.map((count) => count - 1));
    const extent = {
      patients: rows.length,
      rows: rows.reduce((a, b) => a + b),
      lines: lines.length,
      length: Math.max(...lines.map((line) => line.rows)),
    };
    most = Math.max(most, batchNumbers(architecture, extent, largestPart));
  }
  return most;
};

/** `order` is that of the training patients in the first epoch; `isSteered`: validation keeps the best weights. */
export const memoryNeed = (
  architecture: Architecture,
  { blockColumns, batch }: Pick<HaloSettings, 'blockColumns' | 'batch'>,
  train: VisitColumns,
  order: Int32Array,
  isSteered: boolean,
): MemoryNeed => {
  const parts = allWeights(architecture, blockColumns).map(({ shape }) => size(shape));
  const weights = parts.reduce((a, b) => a + b) * bytesPerNumber;
  const moments = 2 * weights;
  const best = isSteered ? weights : 0;
  const step = largestBatch(architecture, train, order, batch, Math.max(...parts)) * bytesPerNumber;
  const reference = Object.values(referenceShapes(architecture)).reduce((sum, shape) => sum + size(shape), 0);
  // A checkpoint holds what lives, once; the model's tensors are held beside their bytes.
  const written = Math.max(weights + moments + best, 2 * reference * bytesPerNumber);
  return {
    weights,
    moments,
    best,
    batch: step,
    written,
    total: weights + moments + best + step + written + slack,
  };
};

/** Throws OutOfMemory, with what would help, when a training would take more than there is. */
export const requireMemory = (
  need: MemoryNeed,
  { layers, embedding, batch, blockColumns }: HaloSettings,
  limitGib: number | undefined,
): void =>
  requireTrainingMemory(
    'halo',
    { ...need, gradients: 0 },
    `set a smaller model (layers: ${layers}, embedding: ${embedding}; or leave out \`preset: paper\`), ` +
      `fewer codes in the vocabulary, a smaller batch (${batch}) or blockColumns (${blockColumns})`,
    limitGib,
  );
