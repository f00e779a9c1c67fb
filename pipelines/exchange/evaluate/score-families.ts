import { families } from '../../../schemas/scorecard.ts';
import type { AsyncSteps } from '../../kernel/steps.ts';
import type { Metric } from '../../metrics/metric.ts';
import { type Scoring, scoreCohort } from '../../metrics/score-cohort.ts';
import type { ScoredCohort } from '../../metrics/scorecard-file.ts';
import { patientCount } from '../../patients/visit-columns.ts';
import { mergedByGenerator } from '../../verdicts/merged-cards.ts';
import { setAside } from './set-aside.ts';

/** Whether any of the metrics trains something that must know when to stop. */
export const needsValidation = (metrics: readonly Metric[]): boolean =>
  metrics.some(({ needs }) => needs.includes('validation'));

/**
 * Without validation patients, whatever trains classifiers uses some of the training patients for it.
 */
const steered = (scoring: Scoring, metrics: readonly Metric[]): Scoring => {
  const isGiven = patientCount(scoring.validation) > 0 || !needsValidation(metrics);
  return isGiven ? scoring : { ...scoring, ...setAside(scoring.train, scoring.seed) };
};

/** Scores family by family, as the stages do, so that a number here is the number there. */
export async function* scoreFamilies(scoring: Scoring): AsyncSteps<ScoredCohort> {
  const parts = families
    .map((family) => scoring.metrics.filter((metric) => metric.family === family))
    .filter((metrics) => metrics.length > 0);
  const cards: ScoredCohort[] = [];
  for (const [at, metrics] of parts.entries()) {
    const work = scoreCohort({ ...steered(scoring, metrics), metrics });
    let turn = await work.next();
    try {
      for (; !turn.done; turn = await work.next())
        yield { ...turn.value, step: turn.value.step + at * turn.value.of, of: turn.value.of * parts.length };
    } finally {
      if (!turn.done) await work.return(undefined as never);
    }
    cards.push(turn.value);
  }
  const [merged] = mergedByGenerator(cards);
  if (!merged) throw new RangeError('no metric was asked for');
  return merged;
}
