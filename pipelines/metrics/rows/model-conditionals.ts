import type { ConditionalScores } from '../../generation/generator.ts';
import { type AsyncSteps, asyncPhase } from '../../kernel/steps.ts';
import type { VisitColumns } from '../../patients/visit-columns.ts';
import type { MetricInput } from '../metric.ts';

/** What the fitted model makes of the codes of real visits, of patients it was fitted to and of others. */
export interface ModelConditionals {
  train: ConditionalScores;
  holdout: ConditionalScores;
}

export const noConditionals =
  'this model does not tell how likely the codes of a visit are given other parts of the record: HALO, for one, gives a code’s probability from the codes before it in the order of its vocabulary only';

/**
 * Opens the fitted model, asks it about both cohorts and closes it. Undefined where the model cannot
 * condition.
 */
export async function* modelConditionals({
  model,
  train,
  holdout,
}: {
  model: MetricInput['model'];
  train: VisitColumns;
  holdout: VisitColumns;
}): AsyncSteps<ModelConditionals | undefined> {
  const sampler = await model?.();
  if (!sampler) throw new RangeError('a metric that asks the model must name it among its needs');
  try {
    if (!sampler.conditional) return undefined;
    const ask = (columns: VisitColumns) => sampler.conditional?.(columns) as AsyncSteps<ConditionalScores>;
    return {
      train: yield* asyncPhase('training patients', 0, 2, ask(train)),
      holdout: yield* asyncPhase('holdout patients', 1, 2, ask(holdout)),
    };
  } finally {
    sampler.dispose();
  }
}
