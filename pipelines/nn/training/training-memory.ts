import { StageError } from '../../../schemas/errors.ts';

/** Bytes of a training, by what they are for. */
export interface TrainingMemory {
  weights: number;
  /** Adam's two moments. */
  moments: number;
  /** All gradients at once, where they are held until their norm is known. */
  gradients: number;
  /** The best weights so far, where validation steers. */
  best: number;
  /** What one step or one validation makes, at its largest. */
  batch: number;
  /** A state on its way into the store, or the model at the end. */
  written: number;
  /** All of it, at the worst moment. */
  total: number;
}

const bytesPerNumber = 4;

/** What compiled code, allocators and uncollected garbage took beside the arrays, at all sizes measured. */
const slack = 80 * 2 ** 20;

/**
 * The memory of a training that applies each gradient as soon as it is known and writes its model in its own
 * layout. `weights` and `batch`: how many numbers; `keepsBest`: validation keeps the best weights.
 */
export const memoryOf = (weights: number, batch: number, keepsBest: boolean): TrainingMemory => {
  const own = {
    weights: weights * bytesPerNumber,
    moments: 2 * weights * bytesPerNumber,
    gradients: 0,
    best: keepsBest ? weights * bytesPerNumber : 0,
    batch: batch * bytesPerNumber,
  };
  // A checkpoint holds what lives, once; the model's tensors are held beside their bytes.
  const written = own.weights + own.moments + own.best;
  return { ...own, written, total: 2 * written + own.batch + slack };
};

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

/**
 * Throws OutOfMemory, with numbers and what would help, when a training would take more than the machine or
 * its container has free, or more than `limitGib` with what the process has already.
 */
export const requireTrainingMemory = (
  name: string,
  need: TrainingMemory,
  advice: string,
  limitGib: number | undefined,
): void => {
  const used = process.memoryUsage.rss();
  const free = limitGib === undefined ? process.availableMemory() : limitGib * 2 ** 30 - used;
  if (need.total <= free) return;
  const { weights, moments, gradients, best, batch, written, total } = need;
  const parts = { weights, "Adam's moments": moments, gradients, 'best weights': best, 'a batch': batch };
  const listed = Object.entries(parts).flatMap(([what, bytes]) =>
    bytes > 0 ? [`${what} ${gibibytes(bytes)}`] : [],
  );
  throw new StageError(
    'OutOfMemory',
    `${name}: training takes about ${gibibytes(total + used)} (${listed.join(', ')}, a checkpoint on its way ` +
      `${gibibytes(written)}, this process ${gibibytes(used)}), but ${gibibytes(Math.max(0, free) + used)} can be had. ` +
      `Use a worker with more memory, or ${advice}; \`memoryGib\` sets the limit where free memory is misjudged`,
  );
};
