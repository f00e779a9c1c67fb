import { bootstrapIntervals } from '../../statistics/bootstrap.ts';
import { type Measure, missing } from '../../statistics/measure.ts';
import type { Classification, ScoredSet } from './classification.ts';

const classificationNames = ['accuracy', 'f1', 'auc', 'averagePrecision'] as const;

/** Every number about one classifier, or about several on average. */
export type ClassificationMeasures = Record<keyof Classification, Measure>;

export const noMeasures = (note: string): ClassificationMeasures => {
  const none = missing(note);
  return { accuracy: none, f1: none, auc: none, averagePrecision: none };
};

/** One classifier's answers: for which label, trained how, asked about which of the cohorts. */
export interface Cell<Arrangement extends string> {
  label: number;
  arrangement: Arrangement;
  set: ScoredSet;
  /** Index into `cohortSizes`. */
  cohort: number;
}

interface SummaryTask<Arrangement extends string> {
  arrangements: readonly Arrangement[];
  cells: readonly Cell<Arrangement>[];
  /** What the others are compared with. */
  baseline: Arrangement;
  /** Patients of each cohort that was asked about; they are what is resampled. */
  cohortSizes: readonly number[];
  seed: number;
  replicates: number;
}

export interface Summary<Arrangement extends string> {
  /** By label, for the labels that have cells. */
  labels: Map<number, Partial<Record<Arrangement, ClassificationMeasures>>>;
  /** Plain mean over the labels of an arrangement; `n` counts labels. */
  average: Record<Arrangement, ClassificationMeasures>;
  /** Mean difference from the baseline over the labels that both have; `n` counts labels. */
  gap: Partial<Record<Arrangement, ClassificationMeasures>>;
}

type Values = (number | null)[];

const mean = (values: Values): number | null =>
  values.length === 0 || values.includes(null)
    ? null
    : values.reduce<number>((sum, value) => sum + (value ?? 0), 0) / values.length;

/** One number to report: which cells it takes, and which it subtracts. */
interface Statistic {
  name: keyof Classification;
  cells: number[];
  less: number[];
  n: number;
}

const evaluate = ({ name, cells, less }: Statistic, results: readonly Classification[]): number | null => {
  const average = mean(cells.map((cell) => results[cell]?.[name] ?? null));
  if (less.length === 0 || average === null) return average;
  const other = mean(less.map((cell) => results[cell]?.[name] ?? null));
  return other === null ? null : average - other;
};

/** Labels, averages and gaps, with intervals from the same resamples of the patients asked about. */
export const summarize = <A extends string>(task: SummaryTask<A>): Summary<A> => {
  const statistics: Statistic[] = [];
  const planned = (cells: number[], less: number[], n: number): number => {
    for (const name of classificationNames) statistics.push({ name, cells, less, n });
    return statistics.length - classificationNames.length;
  };
  const of = (arrangement: A): number[] =>
    [...task.cells.keys()].filter((cell) => task.cells[cell]?.arrangement === arrangement);
  const single = task.cells.map(({ set }, cell) => planned([cell], [], set.size));
  const averages = task.arrangements.map((arrangement) =>
    planned(of(arrangement), [], of(arrangement).length),
  );
  const gaps = task.arrangements.map((arrangement) => {
    const labelOf = (cell: number) => task.cells[cell]?.label;
    const base = of(task.baseline);
    const shared = of(arrangement).filter((cell) => base.some((other) => labelOf(other) === labelOf(cell)));
    const less = base.filter((cell) => shared.some((other) => labelOf(other) === labelOf(cell)));
    return planned(shared, less, shared.length);
  });
  const measures = measureAll(task, statistics);
  const at = (first: number): ClassificationMeasures => {
    const [accuracy, f1, auc, averagePrecision] = measures.slice(first) as [
      Measure,
      Measure,
      Measure,
      Measure,
    ];
    return { accuracy, f1, auc, averagePrecision };
  };
  const labels: Summary<A>['labels'] = new Map();
  for (const [cell, { label, arrangement }] of task.cells.entries()) {
    const results = { ...labels.get(label), [arrangement]: at(single[cell] as number) };
    labels.set(label, results as Partial<Record<A, ClassificationMeasures>>);
  }
  const byArrangement = (firsts: number[]) =>
    Object.fromEntries(
      task.arrangements.map((arrangement, i) => [arrangement, at(firsts[i] as number)]),
    ) as Record<A, ClassificationMeasures>;
  const gap: Summary<A>['gap'] = byArrangement(gaps);
  delete gap[task.baseline];
  return { labels, average: byArrangement(averages), gap };
};

const measureAll = <A extends string>(task: SummaryTask<A>, statistics: readonly Statistic[]): Measure[] => {
  const compute = (counts?: readonly Int32Array[]): Values => {
    const results = task.cells.map(({ set, cohort }) => set.measure(counts?.[cohort]));
    return statistics.map((statistic) => evaluate(statistic, results));
  };
  const intervals =
    task.cells.length === 0
      ? []
      : bootstrapIntervals({
          // A cohort that no classifier was tested on must not keep the others from their intervals.
          sizes: task.cohortSizes.filter((_, i) => task.cells.some(({ cohort }) => cohort >= i)),
          seed: task.seed,
          replicates: task.replicates,
          statistics: compute,
        });
  return compute().map((value, i): Measure => {
    const { n } = statistics[i] as Statistic;
    if (value === null)
      return missing(n === 0 ? 'no label could be measured' : 'not defined on these patients', n);
    const interval = intervals[i];
    return interval ? { value, n, interval } : { value, n };
  });
};
