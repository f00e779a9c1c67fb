import type { PatientScores } from '../../generation/generator.ts';
import { type AsyncSteps, asyncPhase } from '../../kernel/steps.ts';
import type { VisitColumns } from '../../patients/visit-columns.ts';
import type { MetricInput } from '../metric.ts';

interface Parties {
  model: MetricInput['model'];
  train: VisitColumns;
  holdout: VisitColumns;
}

/** What the fitted model makes of real patients: those it was fitted to, and those it never saw. */
export interface ModelScores {
  train: PatientScores;
  holdout: PatientScores;
}

export const noScores = 'this model defines no probability of a record, so there is nothing to be scored';

/**
 * Opens the fitted model, scores both cohorts and closes it. Undefined where the model defines no probability
 * of a record, as one that only draws does.
 */
export async function* modelScores({ model, train, holdout }: Parties): AsyncSteps<ModelScores | undefined> {
  const sampler = await model?.();
  if (!sampler) throw new RangeError('a metric that asks the model must name it among its needs');
  try {
    if (!sampler.score) return undefined;
    const score = (columns: VisitColumns) => sampler.score?.(columns) as AsyncSteps<PatientScores>;
    return {
      train: yield* asyncPhase('training patients', 0, 2, score(train)),
      holdout: yield* asyncPhase('holdout patients', 1, 2, score(holdout)),
    };
  } finally {
    sampler.dispose();
  }
}

/** The sentence on patients whose records are longer than the model can read, or nothing. */
export const cutNote = ({ train, holdout }: ModelScores): { note?: string } => {
  const cut = train.cut + holdout.cut;
  return cut === 0
    ? {}
    : { note: 'Of the longest records only the beginning is scored: the model reads no more visits.' };
};
