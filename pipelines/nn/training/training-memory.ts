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

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

/**
 * Throws OutOfMemory, with numbers and what would help, when a training would take more than the machine or its container
 * has free, or more than `limitGib` with what the process has already.
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
  const told = Object.entries(parts).flatMap(([what, bytes]) =>
    bytes > 0 ? [`${what} ${gibibytes(bytes)}`] : [],
  );
  throw new StageError(
    'OutOfMemory',
    `${name}: training takes about ${gibibytes(total + used)} (${told.join(', ')}, a checkpoint on its way ` +
      `${gibibytes(written)}, this process ${gibibytes(used)}), but ${gibibytes(Math.max(0, free) + used)} can be had. ` +
      `Use a worker with more memory, or ${advice}; \`memoryGib\` says how much may be taken, where what is free is misjudged`,
  );
};
