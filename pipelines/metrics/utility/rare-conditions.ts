import { z } from 'zod';
import type { AsyncSteps } from '../../kernel/steps.ts';
import { defineMetric, type MetricResult, type Parts } from '../metric.ts';
import { classificationRows, gapRows, labelSeries } from './engine/classification-rows.ts';
import { classifierOptions, leastPositives } from './engine/classifier-options.ts';
import { labelDefinitions } from './engine/phenotyping-sets.ts';
import { type Mixture, mixtures, rareConditionDefaults, rareConditions } from './engine/rare-condition.ts';

const trained: Record<Mixture, string> = {
  augmented: 'few real patients with the label, synthetic ones added',
  imbalanced: 'few real patients with the label',
  balanced: 'real patients with the label added',
};
const order: readonly Mixture[] = ['augmented', 'imbalanced', 'balanced'];

/** HALO (Theodorou et al. 2023, Table 5). */
export default defineMetric({
  name: 'rare-conditions',
  family: 'utility',
  title: 'Rare conditions',
  about:
    'Where only few real patients have a label: how much do synthetic patients with it help a classifier, compared with as many more real ones?',
  better: 'higher',
  range: [0, 1],
  needs: ['train', 'validation', 'holdout', 'synthetic'],
  reference: 'none',
  trains: true,
  headline: { 'gain-augmented-auc': 'Rare conditions, AUC gain' },
  options: z.object({
    negatives: z
      .int()
      .positive()
      .default(rareConditionDefaults.negatives)
      .describe('most real patients without the label; HALO takes 50000'),
    share: z
      .number()
      .positive()
      .max(1)
      .default(rareConditionDefaults.share)
      .describe('real patients with the label that are kept, per patient without'),
    labels: z.array(z.string()).optional().describe('labels to make rare; default: all'),
    leastPositives,
    classifier: classifierOptions,
  }),
  async *compute(input): AsyncSteps<MetricResult> {
    const { vocabulary, train, validation, holdout, synthetic, options, seed, replicates } = input;
    const found = yield* rareConditions({ train, validation, test: holdout, synthetic }, vocabulary, {
      ...options,
      sizes: rareConditionDefaults.sizes,
      variant: 'clean',
      definitions: await labelDefinitions(vocabulary),
      seed,
      replicates,
    });
    const partsOf = (mixture: Mixture): Parts => ({
      groups: found.labels
        .filter(({ results }) => results[mixture].auc.value !== null)
        .map(({ allPositives }) => ({ patients: allPositives })),
      rows: 1,
    });
    const gaps = order.flatMap((mixture) => {
      const gap = found.gap[mixture];
      const title = `${trained[mixture]}, gain over few alone`;
      return gap ? gapRows(gap, { prefix: `gain-${mixture}-`, title, parts: partsOf(mixture) }) : [];
    });
    const averages = order.flatMap((mixture) =>
      classificationRows(found.average[mixture], {
        prefix: `${mixture}-`,
        title: `${trained[mixture]}, mean over labels`,
        nIs: 'keys',
        parts: partsOf(mixture),
      }),
    );
    const single = found.labels.flatMap(({ name, allPositives, results }) =>
      order.flatMap((mixture) =>
        classificationRows(results[mixture], {
          prefix: `${name}: ${mixture}-`,
          title: `${name}, ${trained[mixture]}`,
          only: ['f1', 'auc'],
          patients: allPositives,
        }),
      ),
    );
    const bars = labelSeries(
      found.labels.map(({ name, allPositives, results }) => ({
        name,
        patients: allPositives,
        values: Object.fromEntries(mixtures.map((m) => [m, results[m].auc])),
      })),
    );
    return { rows: [...gaps, ...averages, ...single], series: { 'label-auc': bars } };
  },
});
