import { z } from 'zod';
import type { AsyncSteps } from '../../../kernel/steps.ts';
import type { MetricInput, MetricResult, PartialRow } from '../../metric.ts';
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

/** Means over labels, then what is gained or lost against classifiers trained on real patients. */
const meanRows = (
  { average, gap }: Pick<PhenotypingResult, 'average' | 'gap'>,
  prefix: string,
  over: string,
): PartialRow[] => [
  ...order.flatMap((arrangement) =>
    classificationRows(average[arrangement], {
      prefix: `${prefix}${arrangement}-`,
      title: `${trained[arrangement]}, ${over}`,
      nIs: 'keys',
      real: arrangement === 'real' ? undefined : average.real,
    }),
  ),
  ...order.flatMap((arrangement) => {
    const lost = gap[arrangement];
    const of = prefix === '' ? '' : `, ${over}`;
    const title = `${trained[arrangement]}, less trained on real ones${of}`;
    return lost ? gapRows(lost, { prefix: `${prefix}gap-${arrangement}-`, title }) : [];
  }),
];

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
  const means = [
    ...meanRows(found, '', 'mean over labels'),
    ...(found.withoutDefinition
      ? meanRows(
          found.withoutDefinition,
          'no-definition-',
          'mean over labels without a known definition, whose codes are in the input',
        )
      : []),
  ];
  const bars = labelSeries(
    found.labels.map(({ name, positives, results }) => ({
      name,
      patients: positives,
      values: Object.fromEntries(arrangements.map((a) => [a, results[a].auc])),
    })),
  );
  return { rows: [...means, ...found.labels.flatMap(labelRows)], series: { 'label-auc': bars } };
}
