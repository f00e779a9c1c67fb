import { z } from 'zod';
import type { AsyncSteps } from '../../kernel/steps.ts';
import { discriminate, discriminatorDefaults } from '../learners/discriminator.ts';
import { defineMetric, type MetricResult } from '../metric.ts';
import { measureRow } from '../rows/measure-row.ts';
import { type Measure, measured } from '../statistics/measure.ts';

/** What a classifier gains over a coin; one that is worse than a coin gains nothing. */
const gain = (auc: number): number => Math.max(0, 2 * auc - 1);

const gainOf = ({ value, n, interval, note }: Measure): Measure =>
  value === null
    ? { value, n, note }
    : measured(gain(value), n, interval && [gain(interval[0]), gain(interval[1])]);

const copied =
  'Below a coin: real patients have copies among the synthetic ones, which teach the classifier the wrong side.';

/**
 * No code of the two papers has it; the classifier and its folds are in metrics/learners/discriminator.ts.
 */
export default defineMetric({
  name: 'discriminator',
  family: 'similarity',
  title: 'Telling synthetic from real patients',
  about:
    'Can a classifier that has seen some of both tell synthetic patients from real training patients? By cross-validation, on equally many of both, patients without visits left out.',
  better: 'lower',
  range: [0, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  headline: { gain: 'Told from real' },
  options: z.object({
    classifier: z
      .enum(['linear', 'lstm'])
      .default(discriminatorDefaults.classifier)
      .describe('linear: logistic regression on codes, pairs and lengths; lstm: bidirectional, on visits'),
    size: z.int().positive().default(discriminatorDefaults.size).describe('most patients of each side'),
    folds: z.int().min(2).default(discriminatorDefaults.folds),
    penalty: z
      .number()
      .positive()
      .default(discriminatorDefaults.penalty)
      .describe('quadratic penalty of the linear classifier'),
  }),
  async *compute({ vocabulary, train, synthetic, options, seed, replicates }): AsyncSteps<MetricResult> {
    const tokens = vocabulary.codes.length;
    const auc = yield* discriminate(train, synthetic, { ...options, seed, replicates, tokens });
    return {
      rows: [
        measureRow(
          {
            row: 'gain',
            title: 'What telling synthetic from real gains over a coin',
            about:
              'twice the AUC less one, and no less than 0: at 0 nobody can tell them apart, at 1 everybody always can',
          },
          gainOf(auc),
        ),
        measureRow(
          {
            row: 'auc',
            title: 'Discriminator AUC',
            about:
              'chance that the classifier thinks a synthetic patient more synthetic than a real one: 0.5 is a coin and the best there is, 1 is certainty',
          },
          auc,
          {
            better: 'closer-to-real',
            real: 0.5,
            note: auc.interval && auc.interval[1] < 0.5 ? copied : undefined,
          },
        ),
      ],
    };
  },
});
