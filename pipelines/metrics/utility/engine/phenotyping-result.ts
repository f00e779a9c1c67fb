import { z } from 'zod';
import type { AsyncSteps } from '../../../kernel/steps.ts';
import type { MetricInput, MetricResult, PartialRow, Parts } from '../../metric.ts';
import { sentence } from '../../rows/measure-row.ts';
import { classificationRows, gapRows, labelSeries } from './classification-rows.ts';
import { classifierOptions, leastPositives } from './classifier-options.ts';
import { type LabelResult, type PhenotypingResult, phenotyping, phenotypingDefaults } from './phenotyping.ts';
import { type Arrangement, arrangements, labelDefinitions } from './phenotyping-sets.ts';

const { sizes } = phenotypingDefaults;
const count = z.int().positive();

export const phenotypingOptions = z.object({
  sizes: z
    .strictObject({
      train: count.default(sizes.train),
      validation: count.default(sizes.validation),
      test: count.default(sizes.test),
    })
    .prefault({})
    .describe('most patients of the balanced set of a label'),
  leastPositives,
  classifier: classifierOptions,
});

const trained: Record<Arrangement, string> = {
  synthetic: 'trained on synthetic patients',
  augmented: 'trained on real and synthetic patients',
  real: 'trained on real patients',
  'real-on-synthetic': 'trained on real patients, asked about synthetic ones',
};
const spreadOf = { accuracy: 'Accuracy', f1: 'F1', auc: 'AUC' } as const;
/** The synthetic cohort leads: it is what is judged. */
const order: readonly Arrangement[] = ['synthetic', 'augmented', 'real-on-synthetic', 'real'];

const labelRows = ({ name, positives, note, results }: LabelResult): PartialRow[] =>
  order
    .filter((arrangement) => arrangement !== 'real')
    .flatMap((arrangement) =>
      classificationRows(results[arrangement], {
        prefix: `${name}: ${arrangement}-`,
        title: `${name}, ${trained[arrangement]}`,
        real: results.real,
        only: ['accuracy', 'f1', 'auc'],
        patients: positives,
        note: note === undefined ? undefined : sentence(note),
      }),
    );

/** Which labels rows of means are over: a prefix of the row names, and words for the titles. */
interface LabelGroup {
  prefix: string;
  over: string;
  labels: readonly LabelResult[];
}

/** Labels that a mean over them rests on, each with as many patients as its own rows are about. */
const partsOf = ({ labels }: LabelGroup, arrangement: Arrangement): Parts => ({
  groups: labels
    .filter(({ results }) => results[arrangement].auc.value !== null)
    .map(({ positives }) => ({ patients: positives })),
  // A mean and a standard deviation.
  rows: 2,
});

const meanRows = (
  { average, gap }: Pick<PhenotypingResult, 'average' | 'gap'>,
  group: LabelGroup,
  { prefix, over } = group,
): PartialRow[] => [
  ...order.flatMap((arrangement) =>
    classificationRows(average[arrangement], {
      prefix: `${prefix}${arrangement}-`,
      title: `${trained[arrangement]}, mean over ${over}`,
      nIs: 'keys',
      real: arrangement === 'real' ? undefined : average.real,
      parts: partsOf(group, arrangement),
    }),
  ),
  ...order.flatMap((arrangement) => {
    const found = gap[arrangement];
    const title = `${trained[arrangement]}, less trained on real ones${prefix && `, ${over}`}`;
    const parts = partsOf(group, arrangement);
    return found ? gapRows(found, { prefix: `${prefix}gap-${arrangement}-`, title, parts }) : [];
  }),
];

/** Population standard deviation; null of fewer than two values. */
const deviation = (values: readonly number[]): number | null => {
  if (values.length < 2) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
};

/** How much labels differ, as the standard deviations of HALO's table 4. */
const spreadRows = (group: LabelGroup, { prefix, over, labels } = group): PartialRow[] =>
  (['real', 'synthetic', 'augmented'] as const).flatMap((arrangement) =>
    (['accuracy', 'f1', 'auc'] as const).map((name): PartialRow => {
      const values = (of: Arrangement) =>
        labels.flatMap(({ results }) => {
          const { value } = results[of][name];
          return value === null ? [] : [value];
        });
      const own = values(arrangement);
      const value = deviation(own);
      return {
        row: `${prefix}${arrangement}-${name}-sd`,
        title: `${spreadOf[name]}, ${trained[arrangement]}, standard deviation over ${over}`,
        about:
          'how much the value differs from label to label (population standard deviation): most of it is that some labels are harder to predict than others',
        value,
        real: arrangement === 'real' ? undefined : deviation(values('real')),
        n: own.length,
        nIs: 'keys',
        parts: partsOf(group, arrangement),
        better: 'closer-to-real',
        range: [0, 0.5],
        note: value === null ? 'Fewer than two labels could be measured.' : undefined,
      };
    }),
  );

/** HALO's phenotyping as rows: means over labels first, then what is gained or lost, then label by label. */
export async function* phenotypingResult(
  variant: 'clean' | 'paper',
  input: MetricInput<z.output<typeof phenotypingOptions>>,
): AsyncSteps<MetricResult> {
  const { vocabulary, train, validation, holdout, synthetic, options, seed, replicates } = input;
  const definitions = await labelDefinitions(vocabulary);
  const found = yield* phenotyping({ train, validation, test: holdout, synthetic }, vocabulary, {
    ...options,
    variant,
    definitions,
    seed,
    replicates,
  });
  const isDefined = (label: number) => variant === 'paper' || definitions[label] !== undefined;
  const main = { prefix: '', over: 'labels', labels: found.labels.filter((_, label) => isDefined(label)) };
  const others = {
    prefix: 'undefined-',
    over: 'labels without a known definition',
    labels: found.labels.filter((_, label) => !isDefined(label)),
  };
  const averages = [
    ...meanRows(found, main),
    ...(found.undefinedLabels ? meanRows(found.undefinedLabels, others) : []),
    ...spreadRows(main),
    ...(found.undefinedLabels ? spreadRows(others) : []),
  ];
  const bars = labelSeries(
    found.labels.map(({ name, positives, results }) => ({
      name,
      patients: positives,
      values: Object.fromEntries(arrangements.map((a) => [a, results[a].auc])),
    })),
  );
  return { rows: [...averages, ...found.labels.flatMap(labelRows)], series: { 'label-auc': bars } };
}
