import type { ConditionalScores, PatientScores, Sampler } from '../../generation/generator.ts';
import { type AsyncSteps, asyncPhase } from '../../kernel/steps.ts';
import type { VisitColumns } from '../../patients/visit-columns.ts';
import type { MetricInput } from '../metric.ts';

interface Parties {
  model: MetricInput['model'];
  train: VisitColumns;
  holdout: VisitColumns;
}

/** What a fitted model computes about the patients it was fitted to, and about others. */
interface Answers<Scores> {
  train: Scores;
  holdout: Scores;
}

/** Scores of one cohort; undefined where the model cannot compute them. */
type Ask<Scores> = (sampler: Sampler, columns: VisitColumns) => AsyncSteps<Scores> | undefined;

/** Opens the fitted model, asks it about both cohorts and closes it. */
async function* askModel<Scores>(
  { model, train, holdout }: Parties,
  ask: Ask<Scores>,
): AsyncSteps<Answers<Scores> | undefined> {
  const sampler = await model?.();
  if (!sampler) throw new RangeError('a metric that asks the model must list `model` among its needs');
  try {
    const ofTrain = ask(sampler, train);
    if (!ofTrain) return undefined;
    const found = yield* asyncPhase('training patients', 0, 2, ofTrain);
    const ofHoldout = ask(sampler, holdout) as AsyncSteps<Scores>;
    return { train: found, holdout: yield* asyncPhase('holdout patients', 1, 2, ofHoldout) };
  } finally {
    sampler.dispose();
  }
}

/** Probabilities of whole records. */
export type ModelScores = Answers<PatientScores>;

export const noScores = 'this model defines no probability of a record, so there is nothing to score';

/** Undefined where the model defines no probability of a record, as one that only samples does. */
export const modelScores = (parties: Parties): AsyncSteps<ModelScores | undefined> =>
  askModel(parties, (sampler, columns) => sampler.score?.(columns));

export const noConditionals =
  'this model gives no probability of a visit’s codes given other parts of the record: HALO, for one, gives a code’s probability from the codes before it in the order of its vocabulary only';

/** Probabilities of codes given other parts of the record. Undefined where the model cannot condition. */
export const modelConditionals = (parties: Parties): AsyncSteps<Answers<ConditionalScores> | undefined> =>
  askModel(parties, (sampler, columns) => sampler.conditional?.(columns));

/**
 * The sentence on patients whose records are longer than the model can read; undefined where there are none.
 */
export const truncationNote = ({ train, holdout }: ModelScores): string | undefined =>
  train.cut + holdout.cut > 0
    ? 'Of the longest records only the beginning is scored: the model reads no more visits.'
    : undefined;
