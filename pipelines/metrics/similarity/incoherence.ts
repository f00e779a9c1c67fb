import { z } from 'zod';
import { counted, percent } from '../../kernel/number-format.ts';
import type { Steps } from '../../kernel/steps.ts';
import { defineMetric, type MetricResult, type PartialRow, type Series } from '../metric.ts';
import { heldOut, measureRow } from '../rows/measure-row.ts';
import { bootstrapIntervals, certainShareInterval } from '../statistics/bootstrap.ts';
import { type Measure, measured, missing } from '../statistics/measure.ts';
import { independentDifference } from '../statistics/normal.ts';
import {
  type Cases,
  findingsOf,
  learnPairRules,
  type PairFindings,
  type PairRules,
} from '../statistics/pair-rules.ts';

/** The shares of a cohort, in the order of the rows. */
const sharesOf = ({ never, missing: apart, incomplete }: PairFindings): Cases[] => [
  never,
  { hits: never.hits.map((hits) => Math.min(1, hits)), of: never.of.map((visits) => Math.min(1, visits)) },
  apart,
  incomplete,
];

const shareOf = ({ hits, of }: Cases, drawn?: Int32Array): number | null => {
  let [found, all] = [0, 0];
  for (let p = 0; p < of.length; p++) {
    const times = drawn ? (drawn[p] as number) : 1;
    found += times * (hits[p] as number);
    all += times * (of[p] as number);
  }
  return all === 0 ? null : found / all;
};

const patientsWith = (counts: Int32Array): number => counts.reduce((sum, n) => sum + Math.min(1, n), 0);

/** Shares with intervals that resample the cohort's patients; the rules stay. */
const measuresOf = (shares: readonly Cases[], seed: number, replicates: number): Measure[] => {
  const intervals = bootstrapIntervals({
    sizes: [shares[0]?.of.length ?? 0],
    seed,
    replicates,
    statistics: ([drawn]) => shares.map((cases) => shareOf(cases, drawn)),
  });
  return shares.map((cases, i) => {
    const value = shareOf(cases);
    if (value === null) return missing('no synthetic visit has a code that a rule is about');
    const n = cases.of.reduce((sum, count) => sum + count, 0);
    // Visits of one patient are alike, so that nothing is claimed beyond what so many patients show.
    const exact = replicates > 0 ? certainShareInterval(value, patientsWith(cases.of)) : undefined;
    return measured(value, n, exact ?? intervals[i]);
  });
};

const differenceOf = (ours: Measure, theirs: Measure): Measure => {
  if (ours.value === null) return ours;
  if (theirs.value === null) return missing('no real holdout visit has a code that a rule is about');
  const [a, b] = [ours.interval, theirs.interval];
  const interval =
    a && b
      ? independentDifference({ value: ours.value, interval: a }, { value: theirs.value, interval: b })
      : undefined;
  return measured(ours.value - theirs.value, ours.n, interval);
};

interface Kind {
  shares: { row: string; title: string; about: string }[];
  difference: { row: string; title: string; about: string };
  note: string;
  why?: string;
}

const kindsOf = ({ never, companions }: PairRules, { expected, share, leastPatients }: Options): Kind[] => {
  const least = counted(leastPatients, 'training patient');
  const neverSeen = `codes that no training visit combines, although ${expected} or more would if codes were independent (Fisher’s exact test, corrected for all pairs); of codes that ${least} or more have`;
  const together = `codes that share a visit in ${percent(share)} or more of the training visits with the first (lower 95% bound), and of which ${expected} or more would lack the second if codes were independent (the same test); ${least} or more have both`;
  const difference =
    'less the same share of the real holdout, which is what chance and coding errors explain';
  return [
    {
      shares: [
        {
          row: 'never-visits',
          title: 'Visits that combine what real visits never do',
          about: `share of the visits with two ${neverSeen}`,
        },
        {
          row: 'never-records',
          title: 'Patients with such a visit',
          about: `share of the patients with a visit that has two ${neverSeen}`,
        },
      ],
      difference: {
        row: 'never-difference',
        title: 'Visits that combine what real visits never do, beyond the holdout',
        about: `share of the visits, ${difference}`,
      },
      note: `${counted(never, 'pair')} of codes would share training visits by independence, and never ${never === 1 ? 'does' : 'do'}.`,
      why:
        never === 0
          ? 'no two codes of the training visits are frequent enough to be expected together and are never together'
          : undefined,
    },
    {
      shares: [
        {
          row: 'always-missing',
          title: 'Codes without the code that almost always comes with them',
          about: `share of the cases in which a visit has the first code and not the second, over all pairs of ${together}`,
        },
        {
          row: 'always-visits',
          title: 'Visits with such a code',
          about: `share of the visits, among those with the first code of a pair, that lack the second of any. Pairs: ${together}`,
        },
      ],
      difference: {
        row: 'always-difference',
        title: 'Codes without the code that almost always comes with them, beyond the holdout',
        about: `share of the cases, ${difference}`,
      },
      note: `${counted(companions.codes.length, 'pair')} of codes almost always ${companions.codes.length === 1 ? 'comes' : 'come'} together in training visits.`,
      why:
        companions.codes.length === 0
          ? `no code of the training visits certainly comes with another in ${percent(share)} or more of its visits`
          : undefined,
    },
  ];
};

const mostPlotted = 200;

/**
 * The pairs that most synthetic visits break; `patients`: real ones who have either code, or both together.
 */
const seriesOf = (
  { visits, patients, of, companions }: PairRules,
  { neverPairs, missingPairs }: PairFindings,
): Record<string, Series> => {
  const both = (first: number, second: number): number => {
    let rule = companions.offsets[first] as number;
    while (companions.codes[rule] !== second) rule++;
    return companions.patients[rule] as number;
  };
  const pairs = (
    found: PairFindings['neverPairs'],
    column: string,
    value: (first: number, second: number) => number,
    behind: (first: number, second: number) => number,
  ): Series => {
    const shown = found.slice(0, mostPlotted);
    return {
      first: shown.map(({ first }) => first),
      second: shown.map(({ second }) => second),
      synthetic: shown.map((pair) => pair.visits),
      [column]: shown.map(({ first, second }) => value(first, second)),
      patients: shown.map(({ first, second }) => behind(first, second)),
    };
  };
  const ofCode = (counts: ArrayLike<number>, token: number) => counts[token] as number;
  return {
    never: pairs(
      neverPairs,
      'expected',
      (a, b) => (ofCode(visits, a) * ofCode(visits, b)) / of,
      (a, b) => Math.min(ofCode(patients, a), ofCode(patients, b)),
    ),
    always: pairs(
      missingPairs,
      'visits',
      (a) => ofCode(visits, a),
      (a, b) => both(a, b),
    ),
  };
};

const options = z.object({
  expected: z
    .number()
    .min(3)
    .default(5)
    .describe('training visits that must break a rule if codes were independent, at least'),
  share: z
    .number()
    .min(0.5)
    .max(0.999)
    .default(0.95)
    .describe(
      'of the training visits with a code, those that have its companion, at least (lower 95% bound)',
    ),
  leastPatients: z
    .int()
    .min(1)
    .default(11)
    .describe('training patients who have either code, or both where they always come together, at least'),
});
type Options = z.output<typeof options>;

/**
 * No published definition: docs/similarity-metrics.md. Positive rules are association rules (Agrawal,
 * Imieliński and Swami, SIGMOD 1993) with an exact bound of their confidence, negative ones those of
 * Brin, Motwani and Silverstein (SIGMOD 1997), whose support is that of independence.
 */
export default defineMetric({
  name: 'incoherence',
  family: 'similarity',
  title: 'Incoherent visits',
  about:
    'Do synthetic visits combine codes that real visits never combine, though both are frequent? Do they lack codes that almost always come with others? Pairs are those of the training patients; the same shares of the real holdout show what chance explains.',
  better: 'lower',
  range: [0, 1],
  needs: ['train', 'synthetic'],
  reference: 'none',
  headline: { 'never-visits': 'Incoherent visits' },
  options,
  *compute(input): Steps<MetricResult> {
    const { vocabulary, train, holdout, synthetic, seed, replicates } = input;
    const rules = learnPairRules(train, vocabulary.codes.length, input.options);
    yield { step: 1, of: 4 };
    const sides: Record<'real' | 'ours' | 'holdout', Cases[]> = { real: [], ours: [], holdout: [] };
    const found = findingsOf(rules, synthetic);
    sides.ours = sharesOf(found);
    yield { step: 2, of: 4 };
    sides.real = sharesOf(findingsOf(rules, train));
    sides.holdout = sharesOf(findingsOf(rules, holdout));
    yield { step: 3, of: 4 };
    const ours = measuresOf(sides.ours, seed, replicates);
    const theirs = measuresOf(sides.holdout, seed, replicates);
    const rows = kindsOf(rules, input.options).flatMap((kind, k): PartialRow[] => {
      const none = kind.why === undefined ? undefined : missing(kind.why);
      const at = (i: number) => {
        const side = (of: keyof typeof sides) => sides[of][2 * k + i] as Cases;
        const cases = (of: keyof typeof sides) => patientsWith(side(of).hits);
        return { our: ours[2 * k + i] as Measure, their: theirs[2 * k + i] as Measure, side, cases };
      };
      const shares = kind.shares.map((heading, i) => {
        const { our, their, side, cases } = at(i);
        if (none) return measureRow(heading, none);
        return measureRow(heading, our, {
          ...heldOut(their),
          real: shareOf(side('real')),
          behind: { real: cases('real'), judged: cases('ours'), holdout: cases('holdout') },
          note: kind.note,
        });
      });
      const { our, their, side, cases } = at(0);
      // With the synthetic share it gives the holdout's, so it is suppressed wherever that is.
      const behind = cases('holdout') || patientsWith(side('holdout').of);
      const difference = measureRow(kind.difference, none ?? differenceOf(our, their), {
        range: [-1, 1],
        ...(!none && their.value !== null && { patients: behind }),
      });
      return [...shares, difference];
    });
    return { rows, series: seriesOf(rules, found) };
  },
});
