import { RandomSource } from '../../kernel/random.ts';
import { drain, type Steps } from '../../kernel/steps.ts';

interface Resampling {
  /** Patients per group; groups (for example members and non-members) are resampled apart from each other. */
  sizes: readonly number[];
  /** How many are drawn per group, where not as many as there are. */
  drawn?: readonly number[];
  seed: number;
  replicates: number;
  /** Share of the replicates that lie inside the interval. */
  level?: number;
}

/** How often each patient of each group was drawn. The arrays are reused. */
export type Resample = readonly Int32Array[];

/** The statistics of a resample; `null` where it leaves one undefined. */
type Statistics = readonly (number | null)[];

interface Bootstrap extends Resampling {
  statistics(resample: Resample): Statistics;
}

/** The same for statistics that cost less when several resamples are looked at together. */
interface BatchedBootstrap extends Resampling {
  /** Most resamples at a time; the last may be fewer. */
  together: number;
  statistics(resamples: readonly Resample[]): readonly Statistics[];
}

export type Interval = [number, number];

/** A statistic of the patients there are, and between which values it can lie. */
interface Point {
  value: number | null;
  range: readonly [number, number];
}

/** Most undefined replicates an interval may rest on; with more it would describe the defined ones only. */
const undefinedShare = 0.05;

/**
 * Patients of one group drawn with replacement, as counts. Replicate and group address the random numbers,
 * so a replicate is the same wherever and in whatever order it is computed.
 */
function draw(
  source: RandomSource,
  counts: Int32Array,
  draws: Float64Array,
  replicate: number,
  group: number,
) {
  counts.fill(0);
  source.fill(draws, 0, draws.length, replicate, group);
  for (const unit of draws) {
    const patient = Math.floor(unit * counts.length);
    counts[patient] = (counts[patient] as number) + 1;
  }
}

/** The `share` quantile of ascending values, between neighbors by linear interpolation (numpy's default). */
export const quantile = (ascending: ArrayLike<number>, share: number): number => {
  const position = share * (ascending.length - 1);
  const below = ascending[Math.floor(position)] as number;
  const above = ascending[Math.ceil(position)] as number;
  return below + (above - below) * (position - Math.floor(position));
};

const ends = (ascending: Float64Array, level = 0.95): Interval => {
  const tail = (1 - level) / 2;
  return [quantile(ascending, tail), quantile(ascending, 1 - tail)];
};

/** A bootstrap that looks at one resample at a time, as one of batches. */
export const oneByOne = ({ statistics, ...rest }: Bootstrap): BatchedBootstrap => ({
  ...rest,
  together: 1,
  statistics: (resamples) => resamples.map(statistics),
});

/** Defined values of each statistic in ascending order; undefined where too many replicates are not. */
function* resampledValues(task: BatchedBootstrap): Steps<(Float64Array | undefined)[]> {
  const { replicates, together, sizes } = task;
  if (replicates < 1 || sizes.some((size) => size < 2)) return [];
  const source = new RandomSource(task.seed, 'bootstrap');
  const batch = Array.from({ length: together }, () => sizes.map((size) => new Int32Array(size)));
  const draws = (task.drawn ?? sizes).map((size) => new Float64Array(size));
  const values: number[][] = [];
  for (let first = 0; first < replicates; first += together) {
    const resamples = batch.slice(0, replicates - first);
    for (const [i, resample] of resamples.entries())
      for (const [group, drawn] of resample.entries())
        draw(source, drawn, draws[group] as Float64Array, first + i, group);
    for (const found of task.statistics(resamples))
      for (const [s, value] of found.entries()) {
        values[s] ??= [];
        if (value !== null && Number.isFinite(value)) values[s].push(value);
      }
    yield { step: first, of: replicates };
  }
  const fewest = Math.max(1, replicates * (1 - undefinedShare));
  return values.map((seen) => (seen.length < fewest ? undefined : Float64Array.from(seen).sort()));
}

/**
 * Percentile bootstrap intervals with patients as the unit (Efron 1979), one per statistic, all from the same
 * resamples. `undefined` where a group has fewer than two patients or too many replicates are undefined.
 */
export const bootstrapIntervals = (task: Bootstrap): (Interval | undefined)[] =>
  drain(resampledValues(oneByOne(task))).map((values) => values && ends(values, task.level));

/** Whether an interval says more than its value: resamples that all agree show that they cannot vary. */
export const hasWidth = ([low, high]: readonly [number, number]): boolean => high - low > 1e-12;

/**
 * The same, moved so that the median of the resamples lies on the value itself, and cut to what is possible:
 * for statistics that resampling shifts (R², distances), whose percentile interval need not hold the value.
 * Undefined also where all resamples agree, which shows that they cannot vary, not that the value is certain.
 */
export function* centeredIntervals(
  task: BatchedBootstrap,
  points: readonly Point[],
): Steps<(Interval | undefined)[]> {
  const resampled = yield* resampledValues(task);
  return points.map(({ value, range: [least, greatest] }, i) => {
    const values = resampled[i];
    if (value === null || !values) return undefined;
    const [low, high] = ends(values, task.level);
    if (!hasWidth([low, high])) return undefined;
    const shift = value - quantile(values, 0.5);
    return [Math.max(least, low + shift), Math.min(greatest, high + shift)];
  });
}

/**
 * The Clopper–Pearson interval (1934) of a share of which none, or all, of `n` patients are: one end is the
 * share itself. Resampling cannot draw what no patient has, so there a bootstrap would give
 * an interval without width, for eighteen patients as for a million. `undefined` for other shares, where a
 * bootstrap serves.
 */
export const certainShareInterval = (share: number, n: number, level = 0.95): Interval | undefined => {
  if (n < 1 || (share !== 0 && share !== 1)) return undefined;
  const margin = ((1 - level) / 2) ** (1 / n);
  return share === 0 ? [0, 1 - margin] : [margin, 1];
};
