/**
 * How much memory a training takes at most, before it begins. Everything is counted in arrays that are alive together;
 * what depends on the records is that of the first epoch's largest batch.
 */

import { layoutOf } from '../../../generation/record-sets.ts';
import type { TrainingMemory } from '../../../nn/training/training-memory.ts';
import { type VisitColumns, visitsOf } from '../../../patients/visit-columns.ts';
import type { Architecture } from '../network/architecture.ts';
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

/** Most that one of these batches makes. */
const largestBatch = (
  architecture: Architecture,
  train: VisitColumns,
  batches: readonly Int32Array[],
  largestPart: number,
): number => {
  let most = 0;
  for (const batch of batches) {
    const rows = Array.from(
      batch,
      (patient) => Math.min(visitsOf(train, patient), architecture.maxVisits) + 1,
    );
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

/** `batches`: those of the first epoch; `isSteered`: validation keeps the best weights. */
export const memoryNeed = (
  architecture: Architecture,
  { blockColumns }: Pick<HaloSettings, 'blockColumns'>,
  train: VisitColumns,
  batches: readonly Int32Array[],
  isSteered: boolean,
): TrainingMemory => {
  const parts = allWeights(architecture, blockColumns).map(({ shape }) => size(shape));
  const weights = parts.reduce((a, b) => a + b) * bytesPerNumber;
  const moments = 2 * weights;
  const best = isSteered ? weights : 0;
  const step = largestBatch(architecture, train, batches, Math.max(...parts)) * bytesPerNumber;
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
