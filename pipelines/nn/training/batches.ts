import type { RandomSource } from '../../kernel/random.ts';

/** Items in their order, so many at a time. */
export const cutInto = (items: Int32Array, batch: number): Int32Array[] =>
  Array.from({ length: Math.ceil(items.length / batch) }, (_, i) =>
    items.subarray(i * batch, (i + 1) * batch),
  );

/** The batches of any epoch: all items, in an order that (seed, epoch) gives. */
export const shuffledBatches =
  (items: Int32Array, batch: number, random: RandomSource) =>
  (epoch: number): Int32Array[] =>
    cutInto(
      random.permutation(items.length, epoch).map((i) => items[i] as number),
      batch,
    );

/**
 * Items are sorted by length among so many batches' worth: enough to fill batches evenly, few enough to keep
 * mixing.
 */
const batchesPerPool = 16;

/**
 * One epoch's batches of items 0 … lengths.length - 1: each batch of about equal lengths, in an order that
 * (seed, epoch) gives. Items are shuffled, sorted by length in pools, cut into batches, and the batches
 * shuffled.
 */
export const bucketedBatches = (
  lengths: Int32Array,
  batch: number,
  random: RandomSource,
  epoch: number,
): Int32Array[] => {
  const shuffled = random.permutation(lengths.length, 2 * epoch);
  const pool = batch * batchesPerPool;
  const batches: Int32Array[] = [];
  for (let first = 0; first < shuffled.length; first += pool) {
    const sorted = shuffled
      .slice(first, first + pool)
      .sort((a, b) => (lengths[a] as number) - (lengths[b] as number) || a - b);
    for (let from = 0; from < sorted.length; from += batch) batches.push(sorted.slice(from, from + batch));
  }
  const order = random.permutation(batches.length, 2 * epoch + 1);
  return Array.from(order, (i) => batches[i] as Int32Array);
};
