/**
 * The facts of patients that have no record yet: number of visits, demographics, labels. No real patient is
 * stored or resampled, only pairwise tables over bins and levels that at least `smallestGroup` training
 * patients share.
 */
import { z } from 'zod';
import { smallestGroup } from '../../../generation/fact-columns.ts';
import type { Demographic, VisitColumns } from '../../../patients/visit-columns.ts';
import { type CodedFact, dependenceForest } from './dependence-forest.ts';
import { levelMap, type PromptFeatures } from './features.ts';

const numbers = z.array(z.number());

const about = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('visits'),
    from: numbers.describe('level i is this many visits; the last, as many or more'),
    tail: z.number().nonnegative().describe('mean number of visits beyond the last level'),
  }),
  z.object({
    kind: z.literal('numeric'),
    name: z.string(),
    edges: numbers.describe('between bins'),
    centers: numbers.describe('mean of each bin'),
    spreads: numbers.describe('standard deviation of each bin'),
    whole: z.boolean().describe('all values are whole numbers'),
  }),
  z.object({ kind: z.literal('categorical'), name: z.string() }),
  z.object({ kind: z.literal('label'), label: z.int().nonnegative() }),
]);
export type About = z.output<typeof about>;

export const promptMarginals = z.object({
  labels: z.int().nonnegative().describe('labels of the vocabulary'),
  facts: z.array(
    z.object({
      about,
      levels: z.int().positive().describe('the last level of a demographic is unknown'),
      parent: z.int().min(-1).describe('the fact this one depends on, earlier in the list; -1: none'),
      shares: numbers.describe('[levels of the parent, levels], rows add up to one'),
    }),
  ),
});
export type PromptMarginals = z.output<typeof promptMarginals>;

type Coded = CodedFact & { about: About };

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Index of the last edge that is not above `value`, plus one: the bin it falls in. */
export const binOf = (edges: readonly number[], value: number): number =>
  edges.filter((edge) => edge <= value).length;

const codeVisits = ({ visitOffsets }: VisitColumns, patients: Int32Array): Coded => {
  const lengths = patients.map((p) => (visitOffsets[p + 1] as number) - (visitOffsets[p] as number));
  const shared = (test: (length: number) => boolean) => lengths.filter(test).length >= smallestGroup;
  const from = [1];
  for (let next = 2; shared((length) => length === next - 1) && shared((length) => length >= next); next++)
    from.push(next);
  const last = from.at(-1) as number;
  const tail = mean([...lengths].filter((length) => length >= last).map((length) => length - last));
  return {
    about: { kind: 'visits', from, tail },
    levels: from.length,
    of: lengths.map((length) => Math.min(length, last) - 1),
  };
};

/** Most bins of a number. */
const mostBins = 8;

/** Borders that leave about equally many of the ascending values in each bin, and never equal ones in two. */
const binEdges = (sorted: readonly number[]): number[] => {
  const bins = Math.max(1, Math.min(mostBins, Math.floor(sorted.length / (2 * smallestGroup))));
  const edges: number[] = [];
  for (let bin = 1, from = 0; bin < bins; bin++) {
    let at = Math.max(Math.round((bin * sorted.length) / bins), from + smallestGroup);
    while (at < sorted.length && sorted[at] === sorted[at - 1]) at++;
    if (at + smallestGroup > sorted.length) break;
    edges.push(((sorted[at - 1] as number) + (sorted[at] as number)) / 2);
    from = at;
  }
  return edges;
};

const codeNumeric = (name: string, values: Float32Array, patients: Int32Array): Coded => {
  const own = Array.from(patients, (patient) => values[patient] as number);
  const known = own.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const edges = binEdges(known);
  const bins = Array.from({ length: edges.length + 1 }, (_, bin) =>
    known.filter((value) => binOf(edges, value) === bin),
  );
  const centers = bins.map(mean);
  const spreads = bins.map((bin, i) =>
    Math.sqrt(mean(bin.map((value) => (value - (centers[i] as number)) ** 2))),
  );
  return {
    about: { kind: 'numeric', name, edges, centers, spreads, whole: known.every(Number.isInteger) },
    levels: bins.length + 1,
    of: Int32Array.from(own, (value) => (Number.isNaN(value) ? bins.length : binOf(edges, value))),
  };
};

const codeCategorical = (
  name: string,
  levels: readonly string[],
  fact: Extract<Demographic, { kind: 'categorical' }>,
  patients: Int32Array,
): Coded => {
  const own = levelMap(fact.levels, levels);
  const levelOf = (patient: number) => own[fact.values[patient] as number] ?? -1;
  return {
    about: { kind: 'categorical', name },
    levels: levels.length + 1,
    of: patients.map((patient) => (levelOf(patient) < 0 ? levels.length : levelOf(patient))),
  };
};

/**
 * Learns how the facts of `patients` go together: those that are prompts, all labels, and the number of
 * visits.
 */
export const fitMarginals = (
  train: VisitColumns,
  patients: Int32Array,
  features: PromptFeatures,
  labels: number,
): PromptMarginals => {
  const facts = train.demographics ?? {};
  const coded: Coded[] = [codeVisits(train, patients)];
  for (const { name } of features.numeric) {
    const fact = facts[name];
    if (fact?.kind === 'numeric') coded.push(codeNumeric(name, fact.values, patients));
  }
  for (const { name, levels } of features.categorical) {
    const fact = facts[name];
    if (fact?.kind === 'categorical') coded.push(codeCategorical(name, levels, fact, patients));
  }
  for (let label = 0; label < labels; label++)
    coded.push({
      about: { kind: 'label', label },
      levels: 2,
      of: patients.map((patient) => train.labels[patient * labels + label] as number),
    });
  const forest = dependenceForest(coded);
  return {
    labels,
    facts: forest.map(({ fact, parent, shares }) => {
      const { about, levels } = coded[fact] as Coded;
      return { about, levels, parent, shares };
    }),
  };
};
