import { z } from 'zod';
import type { AsyncSteps } from '../../kernel/steps.ts';
import { discriminate, discriminatorDefaults } from '../learners/discriminator.ts';
import { defineMetric, type MetricResult } from '../metric.ts';
import { measureRow } from '../rows/measure-row.ts';
import { type Measure, measured } from '../statistics/measure.ts';

/** How far an AUC is from guessing, on either side: an AUC below 0.5 is no success. */
const distance = (auc: number): number => Math.abs(2 * auc - 1);

/** The interval of the distance: it begins at 0 where that of the AUC holds 0.5. */
const distanceInterval = ([low, high]: readonly [number, number]): [number, number] => {
  const ends = [distance(low), distance(high)] as const;
  return [low <= 0.5 && high >= 0.5 ? 0 : Math.min(...ends), Math.max(...ends)];
};

const distanceOf = ({ value, n, interval, note }: Measure): Measure =>
  value === null ? { value, n, note } : measured(distance(value), n, interval && distanceInterval(interval));

/**
 * Copies of training patients bring this about, since the classifier learns the wrong label for them; but so
 * does chance. So it is no evidence of copies, which are counted by themselves.
 */
const worse =
  'Below guessing, which is no success: it comes about by chance as well as where synthetic patients repeat real ones. Copies are counted by themselves, under privacy.';

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
  headline: { gain: 'Discriminator, |2 · AUC − 1|' },
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
            title: 'Discriminator, distance from guessing',
            about:
              '|2 · AUC − 1|: 0 where the classifier guesses, 1 where it is always right or always wrong; an AUC below 0.5 is no success, see the copies of training patients',
          },
          distanceOf(auc),
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
            note: auc.value !== null && auc.value < 0.5 ? worse : undefined,
          },
        ),
      ],
    };
  },
});
