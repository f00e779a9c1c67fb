import { z } from 'zod';
import type { AsyncSteps } from '../../kernel/steps.ts';
import { discriminate, discriminatorDefaults } from '../learners/discriminator.ts';
import { defineMetric, type MetricResult } from '../metric.ts';
import { measureRow } from '../rows/measure-row.ts';
import { type Measure, measured } from '../statistics/measure.ts';

/** What a classifier gains over guessing; one that is worse than guessing gains nothing. */
const gain = (auc: number): number => Math.max(0, 2 * auc - 1);

const gainOf = ({ value, n, interval, note }: Measure): Measure =>
  value === null
    ? { value, n, note }
    : measured(gain(value), n, interval && [gain(interval[0]), gain(interval[1])]);

const copied =
  'Below guessing: real patients have copies among the synthetic ones, so the classifier learns the wrong label for them.';

/**
 * Neither paper publishes it; the classifier and its folds are in metrics/learners/discriminator.ts.
 */
export default defineMetric({
  name: 'discriminator',
  family: 'similarity',
  title: 'Discriminator',
  about:
    'Can a classifier distinguish synthetic patients from real training patients? Cross-validated, on equally many of both, patients without visits left out.',
  better: 'lower',
  range: [0, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  headline: { gain: 'Discriminator advantage' },
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
            title: 'Discriminator advantage',
            about:
              '2 · AUC − 1, and no less than 0: at 0 the classifier is no better than guessing, at 1 it is always right',
          },
          gainOf(auc),
        ),
        measureRow(
          {
            row: 'auc',
            title: 'Discriminator AUC',
            about:
              'probability that the classifier scores a synthetic patient above a real one: 0.5 is guessing and the best possible, 1 is certainty',
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
