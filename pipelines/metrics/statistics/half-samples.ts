import { RandomSource } from '../../kernel/random.ts';
import type { Interval } from './bootstrap.ts';
import { normalQuantile } from './normal.ts';

/**
 * 95 % intervals from half of each cohort's patients, drawn without replacement again and again: the
 * jackknife that deletes half (Shao and Wu, Annals of Statistics 17, 1989), which also holds for numbers that
 * one patient changes by a jump. For nearest neighbors, where drawing patients twice would give each a copy
 * at distance 0. `statistics` is given who is kept, per cohort; the arrays are reused. `undefined` where the
 * number has no spread; no interval of fewer than two draws or four patients.
 */
export function halfSampleIntervals(
  values: readonly number[],
  ranges: readonly (readonly [number, number])[],
  {
    sizes,
    seed,
    replicates,
    statistics,
  }: {
    sizes: readonly number[];
    seed: number;
    replicates: number;
    statistics(kept: readonly Uint8Array[]): readonly number[];
  },
): (Interval | undefined)[] {
  if (replicates < 2 || sizes.some((size) => size < 4)) return [];
  const source = new RandomSource(seed, 'bootstrap');
  const kept = sizes.map((size) => new Uint8Array(size));
  const found = Array.from({ length: replicates }, (_, replicate) => {
    for (const [cohort, mask] of kept.entries()) {
      mask.fill(0);
      const order = source.permutation(mask.length, replicate * sizes.length + cohort);
      for (let i = 0; i < mask.length >> 1; i++) mask[order[i] as number] = 1;
    }
    return statistics(kept);
  });
  return values.map((value, s) => {
    const middle = found.reduce((sum, row) => sum + (row[s] as number), 0) / replicates;
    const squares = found.reduce((sum, row) => sum + ((row[s] as number) - middle) ** 2, 0);
    const half = normalQuantile(0.975) * Math.sqrt(squares / (replicates - 1));
    const [least, greatest] = ranges[s] as readonly [number, number];
    return half > 0 ? [Math.max(least, value - half), Math.min(greatest, value + half)] : undefined;
  });
}
