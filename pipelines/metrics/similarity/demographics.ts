import { z } from 'zod';
import type { Steps } from '../../kernel/steps.ts';
import {
  codesOfPatient,
  type Demographic,
  patientCount,
  type VisitColumns,
} from '../../patients/visit-columns.ts';
import { Buckets, fitBuckets } from '../../tokens/value-buckets.ts';
import { defineMetric, type MetricResult, type PartialRow } from '../metric.ts';
import { type PatientWeights, resampledRows } from '../rows/resampled-rows.ts';

/**
 * A fact on both sides, as groups that enough real patients have. The last group is all that is left: rare
 * levels and unknown, which a generator that learns no rare level samples as one.
 */
interface GroupedFact {
  name: string;
  groups: number;
  real: Int32Array;
  /** Absent where the synthetic patients lack the fact. */
  synthetic: Int32Array | undefined;
}

type Categorical = Extract<Demographic, { kind: 'categorical' }>;

/** Level names that so many patients have. */
const commonLevels = ({ levels, values }: Categorical, least: number): string[] =>
  levels.filter((_, level) => values.filter((value) => value === level).length >= least);

const groupedFact = (
  name: string,
  real: Demographic,
  synthetic: Demographic | undefined,
  least: number,
): GroupedFact => {
  const judged = synthetic?.kind === real.kind ? synthetic : undefined;
  const sides = (groups: number, of: (fact: Demographic) => Int32Array): GroupedFact => ({
    name,
    groups: groups + 1,
    real: of(real),
    synthetic: judged && of(judged),
  });
  if (real.kind === 'categorical') {
    const levels = commonLevels(real, least);
    return sides(levels.length, (fact) => {
      if (fact.kind !== 'categorical') return new Int32Array(0);
      const own = fact.levels.map((level) => levels.indexOf(level));
      return fact.values.map((value) => {
        const level = own[value];
        return level === undefined || level < 0 ? levels.length : level;
      });
    });
  }
  const known = Int32Array.from(real.values.keys()).filter((p) => Number.isFinite(real.values[p] as number));
  const buckets =
    fitBuckets(
      { values: Array.from(known, (p) => real.values[p] as number), patients: known },
      { count: 8, leastPatients: least, leastVisits: least, trim: 0.01 },
    ) ?? new Buckets([0, 1], 0);
  return sides(buckets.count, (fact) =>
    Int32Array.from(fact.values as Float32Array, (value) =>
      Number.isFinite(value) ? buckets.of(value) : buckets.count,
    ),
  );
};

/** Shares of the patients in each group, or in each pair of groups; each patient as often as its weight. */
const sharesOf = (
  weights: Int32Array,
  ...facts: readonly (readonly [Int32Array, number])[]
): Float64Array | null => {
  const shares = new Float64Array(facts.reduce((product, [, groups]) => product * groups, 1));
  let all = 0;
  weights.forEach((weight, patient) => {
    const cell = facts.reduce((at, [of, groups]) => at * groups + (of[patient] as number), 0);
    shares[cell] = (shares[cell] as number) + weight;
    all += weight;
  });
  return all === 0 ? null : shares.map((count) => count / all);
};

const totalVariation = (a: Float64Array | null, b: Float64Array | null): number | null =>
  a && b && a.reduce((sum, share, i) => sum + Math.abs(share - (b[i] as number)), 0) / 2;

const mean = (values: readonly (number | null)[]): number | null => {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
};

/**
 * Which of some codes each record has, once each: patient p's are `places[offsets[p] … offsets[p + 1] - 1]`.
 */
interface RecordCodes {
  offsets: Int32Array;
  places: Int32Array;
}

const recordCodes = (columns: VisitColumns, codes: readonly number[]): RecordCodes => {
  const place = new Map(codes.map((code, i) => [code, i]));
  const offsets = new Int32Array(patientCount(columns) + 1);
  const places: number[] = [];
  for (let patient = 0; patient < patientCount(columns); patient++) {
    const own = new Set<number>();
    for (const code of codesOfPatient(columns, patient)) {
      const at = place.get(code);
      if (at !== undefined) own.add(at);
    }
    for (const at of own) places.push(at);
    offsets[patient + 1] = places.length;
  }
  return { offsets, places: Int32Array.from(places) };
};

/** The codes that most patients have; of equally many the first. */
const commonestCodes = (columns: VisitColumns, codes: number, most: number): number[] => {
  const counts = new Int32Array(codes);
  for (let patient = 0; patient < patientCount(columns); patient++)
    for (const code of new Set(codesOfPatient(columns, patient))) counts[code] = (counts[code] as number) + 1;
  return [...counts.keys()]
    .filter((code) => (counts[code] as number) > 0)
    .sort((a, b) => (counts[b] as number) - (counts[a] as number) || a - b)
    .slice(0, most);
};

/**
 * [groups, codes] how much larger the share of the group's patients with the code is than that of all; NaN
 * for groups without patients.
 */
const codeLifts = (
  { offsets, places }: RecordCodes,
  codes: number,
  weights: Int32Array,
  [group, groups]: readonly [Int32Array, number],
): Float64Array => {
  const counts = new Float64Array(groups * codes);
  const overall = new Float64Array(codes);
  const sizes = new Float64Array(groups);
  weights.forEach((weight, patient) => {
    const own = group[patient] as number;
    sizes[own] = (sizes[own] as number) + weight;
    for (let i = offsets[patient] as number; i < (offsets[patient + 1] as number); i++) {
      const code = places[i] as number;
      counts[own * codes + code] = (counts[own * codes + code] as number) + weight;
      overall[code] = (overall[code] as number) + weight;
    }
  });
  const all = sizes.reduce((a, b) => a + b, 0);
  return counts.map((count, cell) => {
    const size = sizes[Math.floor(cell / codes)] as number;
    return size === 0 ? Number.NaN : count / size - (overall[cell % codes] as number) / all;
  });
};

/**
 * The part of the real differences that the synthetic ones reproduce, both about zero, groups weighed by
 * their size.
 */
const liftR2 = (
  real: Float64Array,
  synthetic: Float64Array,
  weight: (cell: number) => number,
): number | null => {
  let [off, all] = [0, 0];
  real.forEach((lift, cell) => {
    if (Number.isNaN(lift) || weight(cell) === 0) return;
    const made = synthetic[cell] as number;
    off += weight(cell) * (lift - (Number.isNaN(made) ? 0 : made)) ** 2;
    all += weight(cell) * lift ** 2;
  });
  return all === 0 ? null : 1 - off / all;
};

interface Sides {
  facts: readonly GroupedFact[];
  codes: number;
  records: { real: RecordCodes; synthetic: RecordCodes };
}

const nothing = 'The real patients have no demographics.';

const factRows = ({ facts, codes, records }: Sides, weights: PatientWeights): PartialRow[] => {
  const n = weights.synthetic.reduce((sum, weight) => sum + weight, 0);
  const missing = facts.filter(({ synthetic }) => !synthetic).map(({ name }) => name);
  const because =
    facts.length === 0
      ? nothing
      : missing.length > 0
        ? `The synthetic patients have no ${missing.join(', ')}.`
        : 'One of the two cohorts has no patients.';
  const both = facts.flatMap(({ synthetic, ...fact }) => (synthetic ? [{ ...fact, synthetic }] : []));
  const distance = (...of: typeof both) =>
    totalVariation(
      sharesOf(weights.real, ...of.map(({ real, groups }) => [real, groups] as const)),
      sharesOf(weights.synthetic, ...of.map(({ synthetic, groups }) => [synthetic, groups] as const)),
    );
  const own = new Map(both.map((fact) => [fact.name, distance(fact)]));
  const pairs = both.flatMap((fact, i) => both.slice(0, i).map((other) => distance(other, fact)));
  const lifts = new Map(
    both.map(({ name, real, synthetic, groups }) => {
      const sizes = sharesOf(weights.real, [real, groups]) ?? new Float64Array(groups);
      const theirs = codeLifts(records.real, codes, weights.real, [real, groups]);
      const ours = codeLifts(records.synthetic, codes, weights.synthetic, [synthetic, groups]);
      // What is left over or unknown is no group to speak of.
      const weight = (cell: number) => {
        const group = Math.floor(cell / codes);
        return group === groups - 1 ? 0 : (sizes[group] as number);
      };
      return [name, n === 0 ? null : liftR2(theirs, ours, weight)];
    }),
  );
  const row = (
    name: string,
    title: string,
    about: string,
    value: number | null,
    more: Partial<PartialRow> = {},
  ) => ({
    row: name,
    title,
    about,
    value,
    n,
    note: value === null ? (more.note ?? because) : undefined,
    better: more.better ?? 'lower',
    range: more.range ?? [0, 1],
  });
  const r2: Pick<PartialRow, 'better' | 'range'> = { better: 'higher', range: [Number.NEGATIVE_INFINITY, 1] };
  const r2About = (groups: string) =>
    `how much more, or less, of ${groups} have each of the commonest codes than of all patients: the part of these real differences that the synthetic ones reproduce. 1 is exact, 0 is a generator to which the fact means nothing`;
  const noLift = 'No fact makes groups that differ, or the synthetic patients lack it.';
  const distanceAbout =
    'half the sum of absolute differences of the shares of patients (total variation distance): 0 is equal, 1 has nothing in common';
  return [
    row('distance', 'Distance of facts, mean', `${distanceAbout}; mean over facts`, mean([...own.values()])),
    row(
      'pair-distance',
      'Distance of pairs of facts, mean',
      `${distanceAbout}; of two facts together, mean over pairs. Cells are many: compare with the real holdout`,
      mean(pairs),
      { note: both.length === 1 ? 'There is one fact alone.' : because },
    ),
    row(
      'code-differences',
      'Codes by fact, R², mean',
      `${r2About('a fact’s groups')}; mean over facts`,
      mean([...lifts.values()]),
      {
        ...r2,
        note: facts.length === 0 ? nothing : noLift,
      },
    ),
    ...facts.flatMap(({ name, synthetic }) => {
      const note = synthetic ? undefined : `The synthetic patients have no ${name}.`;
      return [
        row(`distance: ${name}`, `Distance of ${name}`, distanceAbout, own.get(name) ?? null, { note }),
        row(
          `code-differences: ${name}`,
          `Codes by ${name}, R²`,
          r2About(`the groups of ${name}`),
          lifts.get(name) ?? null,
          {
            ...r2,
            note: note ?? noLift,
          },
        ),
      ];
    }),
  ];
};

/** No paper's definition. */
export default defineMetric({
  name: 'demographics',
  family: 'similarity',
  title: 'Demographics',
  about:
    'Are sex, age, ethnicity and other facts of patients distributed as among real ones, alone and two by two, and do they go with the same codes? Levels of few real patients count as unknown.',
  better: 'lower',
  range: [0, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  options: z.object({
    leastPatients: z
      .int()
      .positive()
      .default(20)
      .describe('real patients that a level or range must have, to be one by itself'),
    codes: z.int().positive().default(100).describe('commonest codes that are compared by fact'),
  }),
  *compute({ options, ...input }): Steps<MetricResult> {
    const { train, synthetic, vocabulary } = input;
    const facts = Object.entries(train.demographics ?? {}).map(([name, fact]) =>
      groupedFact(name, fact, synthetic.demographics?.[name], options.leastPatients),
    );
    const codes = commonestCodes(train, vocabulary.codes.length, options.codes);
    const records = { real: recordCodes(train, codes), synthetic: recordCodes(synthetic, codes) };
    const sides = { facts, codes: codes.length, records };
    return { rows: yield* resampledRows(input, [0, 1], (weights) => factRows(sides, weights)) };
  },
});
