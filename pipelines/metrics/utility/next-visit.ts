import { z } from 'zod';
import { modality } from '../../../schemas/ehr.ts';
import type { AsyncSteps } from '../../kernel/steps.ts';
import type { VisitColumns } from '../../patients/visit-columns.ts';
import { defineMetric, type MetricResult, type PartialRow } from '../metric.ts';
import { measureRow } from '../rows/measure-row.ts';
import { subgroupsOf, usualFacts } from '../statistics/subgroups.ts';
import { type NextVisitRow, nextVisit } from './engine/next-visit.ts';
import { noRecalls, type RecallDepth, type Recalls, recallDepths } from './engine/recall.ts';
import { nextVisitTrainingDefaults } from './engine/train-next-visit.ts';

const about = (depth: RecallDepth) =>
  `share of the codes of the next visit that are among the ${depth} to which the predictor assigns the highest probability, averaged over visits`;

const recallRows = (
  prefix: string,
  title: string,
  recalls: Recalls,
  more: (depth: RecallDepth) => Partial<PartialRow> = () => ({}),
): PartialRow[] =>
  recallDepths.map((depth) =>
    measureRow(
      { row: `${prefix}recall-at-${depth}`, title: `Recall@${depth}, ${title}`, about: about(depth) },
      recalls[depth],
      more(depth),
    ),
  );

const titleOf = ({ real, synthetic }: NextVisitRow): string =>
  `trained on ${[real > 0 && `${real} real`, synthetic > 0 && `${synthetic} synthetic`].filter(Boolean).join(' and ')} patients`;

/** The largest mix of one kind that could be trained, else the smallest, whose note says why not. */
const largest = (rows: readonly NextVisitRow[], kind: 'real' | 'synthetic'): NextVisitRow | undefined => {
  const own = rows
    .filter((row) => row[kind] > 0 && row.real + row.synthetic === row[kind])
    .sort((a, b) => a[kind] - b[kind]);
  return own.findLast(({ recall }) => recall[10].value !== null) ?? own[0];
};

/** Test patients that a group must have. */
const leastTested = 20;

interface Resampling {
  seed: number;
  replicates: number;
}

/** Synthetic less real, each as many as could be trained on, about the same visits. */
const gapRows = (
  judged: NextVisitRow | undefined,
  real: NextVisitRow | undefined,
  { seed, replicates }: Resampling,
): PartialRow[] => {
  const gap =
    judged?.tally && real?.tally
      ? judged.tally.less(real.tally, seed, replicates)
      : noRecalls('there is no predictor trained on synthetic patients alone, or none on real ones alone');
  const title =
    judged && real
      ? `${titleOf(judged)}, less ${titleOf(real)}`
      : 'trained on synthetic less trained on real patients';
  return recallDepths.map((depth) =>
    measureRow(
      {
        row: `gap-recall-at-${depth}`,
        title: `Recall@${depth}, ${title}`,
        about:
          'difference over the same visits of the same test patients: 0 is as good as real patients, below 0 is worse',
      },
      gap[depth],
      { range: [-1, 1] },
    ),
  );
};

/**
 * Synthetic less real, group by group of the test patients, from the recalls that are there: a predictor may
 * learn less of one group from synthetic patients than of the others. Groups of fewer than `leastTested` are
 * left out.
 */
const groupRows = (
  judged: NextVisitRow | undefined,
  real: NextVisitRow | undefined,
  { holdout, tested, seed, replicates }: { holdout: VisitColumns; tested: Int32Array } & Resampling,
): PartialRow[] => {
  const depth = 20;
  const title = `Recall@${depth}, trained on synthetic less trained on real patients`;
  const found = subgroupsOf(holdout, usualFacts, leastTested).flatMap((group) => {
    const members = new Set(group.members(holdout));
    const own = new Set([...tested.keys()].filter((number) => members.has(tested[number] as number)));
    const [ours, theirs] = [judged?.tally?.among(own), real?.tally?.among(own)];
    if (!ours || !theirs || ours.patients < leastTested) return [];
    const measure = ours.less(theirs, seed, replicates)[depth];
    return [
      measureRow(
        {
          row: `${group.name}: gap-recall-at-${depth}`,
          title: `${title}, ${group.name}`,
          about: 'difference over the same visits of test patients of this group: below 0 is worse',
        },
        measure,
        { range: [-1, 1], patients: ours.patients },
      ),
    ];
  });
  const known = found.filter(({ value }) => value !== null);
  const worst = known.toSorted((a, b) => (a.value as number) - (b.value as number))[0];
  return [
    {
      row: `worst-group-gap-recall-at-${depth}`,
      title: `${title}, lowest of all groups`,
      about:
        'the sex, age band or ethnicity of test patients for which synthetic patients teach least, compared with real ones: below 0 is worse',
      value: worst?.value ?? null,
      n: worst?.n ?? 0,
      interval: worst?.interval,
      patients: worst?.patients,
      range: [-1, 1],
      note: worst
        ? `It is ${worst.row.split(':')[0]}.`
        : `No group of at least ${leastTested} test patients with a visit to predict, by ${usualFacts.join(', ')}.`,
    },
    ...found,
  ];
};

const noMix = 'no mix of synthetic patients alone was asked for';
const count = z.int().positive();
const { epochs, leastUpdates, patience, learningRate, batchSize, embedding, hidden, middle } =
  nextVisitTrainingDefaults;

/**
 * PromptEHR (Wang and Sun 2022, section 4.5, figures 5 to 7); no published code computes it:
 * docs/utility-metrics.md.
 */
export default defineMetric({
  name: 'next-visit',
  family: 'utility',
  title: 'Next-visit prediction',
  about:
    'Does a predictor of the codes of the next visit learn as much from synthetic patients as from real ones? It is tested on real patients, by default on diagnoses.',
  better: 'higher',
  range: [0, 1],
  needs: ['train', 'validation', 'holdout', 'synthetic'],
  reference: 'none',
  trains: true,
  headline: { 'recall-at-20': 'Next visit, recall@20' },
  options: z.object({
    modalities: z.array(modality).min(1).default(['dx']).describe('kinds of codes predicted; all are read'),
    mixes: z
      .array(z.strictObject({ real: z.int().nonnegative(), synthetic: z.int().nonnegative() }))
      .optional()
      .describe(
        "patients trained on; default: PromptEHR's sizes as shares of the training split, or smaller alike where the synthetic cohort lacks patients for its 50k",
      ),
    training: z
      .strictObject({
        embedding: count.default(embedding),
        hidden: count.default(hidden),
        middle: count.default(middle).describe('width between LSTM and codes'),
        learningRate: z.number().positive().default(learningRate),
        batchSize: count.default(batchSize),
        epochs: count.default(epochs),
        leastUpdates: z.int().nonnegative().default(leastUpdates),
        patience: count.default(patience),
      })
      .prefault({}),
  }),
  async *compute(input): AsyncSteps<MetricResult> {
    const { vocabulary, train, validation, holdout, synthetic, options, seed, replicates } = input;
    const cohorts = { train, validation, test: holdout, synthetic };
    const { rows, commonest, tested } = yield* nextVisit(cohorts, vocabulary, {
      ...options,
      seed,
      replicates,
    });
    const judged = largest(rows, 'synthetic');
    const real = largest(rows, 'real');
    const headline = judged
      ? recallRows('', titleOf(judged), judged.recall, (depth) =>
          real ? { real: real.recall[depth].value } : {},
        )
      : recallRows('', 'trained on synthetic patients', noRecalls(noMix));
    return {
      rows: [
        ...headline,
        ...gapRows(judged, real, { seed, replicates }),
        ...groupRows(judged, real, { holdout, tested, seed, replicates }),
        ...recallRows('commonest-', 'always guessing the commonest codes', commonest),
        ...rows.flatMap((row) =>
          recallRows(`${row.real}-real-${row.synthetic}-synthetic-`, titleOf(row), row.recall),
        ),
      ],
    };
  },
});
