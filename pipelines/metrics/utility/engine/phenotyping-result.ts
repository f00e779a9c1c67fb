import { z } from 'zod';
import type { AsyncSteps } from '../../../kernel/steps.ts';
import type { MetricInput, MetricResult, PartialRow } from '../../metric.ts';
import { sentence } from '../../rows/measure-row.ts';
import { classificationRows, gapRows, labelSeries } from './classification-rows.ts';
import { classifierOptions, leastPositives } from './classifier-options.ts';
import { type LabelResult, phenotyping, phenotypingDefaults } from './phenotyping.ts';
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
  const averages = order.flatMap((arrangement) =>
    classificationRows(found.average[arrangement], {
      prefix: `${arrangement}-`,
      title: `${trained[arrangement]}, mean over labels`,
      nIs: 'keys',
      real: arrangement === 'real' ? undefined : found.average.real,
    }),
  );
  const gaps = order.flatMap((arrangement) => {
    const gap = found.gap[arrangement];
    const title = `${trained[arrangement]}, less trained on real ones`;
    return gap ? gapRows(gap, { prefix: `gap-${arrangement}-`, title }) : [];
  });
  const bars = labelSeries(
    found.labels.map(({ name, positives, results }) => ({
      name,
      patients: positives,
      values: Object.fromEntries(arrangements.map((a) => [a, results[a].auc])),
    })),
  );
  return { rows: [...averages, ...gaps, ...found.labels.flatMap(labelRows)], series: { 'label-auc': bars } };
}
