import type { TokenCohort } from '../pipelines/cohort/visit-columns.ts';
import type { Metric } from '../pipelines/metric.ts';
import { headlineOf, type Scoring, scoreCohort } from '../pipelines/metrics/score-cohort.ts';
import { vocabularyDigest } from '../pipelines/model-card.ts';
import { metricFile, metricsOf } from '../pipelines/registry.ts';
import { readTokenCohort } from '../pipelines/tokens/token-cohort-file.ts';
import { splitColumns } from '../pipelines/tokens/training-data.ts';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { StageError } from '../schemas/errors.ts';
import type { MetricParams } from '../schemas/metric-params.ts';
import type { Progress } from '../schemas/progress.ts';
import type { MetricRow } from '../schemas/scorecard.ts';
import type { Vocabulary } from '../schemas/vocabulary.ts';
import type { StageTools, Summary } from './stage-body.ts';

type Family = MetricRow['family'];

/** Asked for by name, or all; throws InvalidConfig on a name nobody has. */
const chosen = (family: Family, names?: readonly string[]): Metric[] => {
  const known = metricsOf(family);
  return (names ?? [...known.keys()]).map((name) => {
    const metric = known.get(name);
    if (!metric)
      throw new StageError(
        'InvalidConfig',
        `${family}.metrics: there is no metric ${JSON.stringify(name)}; there are ${[...known.keys()].join(', ')}`,
      );
    return metric;
  });
};

/** The files of the metrics that a stage will compute, for its cache key. */
export const metricFiles = (family: Family, { metrics }: Pick<MetricParams, 'metrics'>): string[] =>
  [...metricsOf(family).values()].filter(({ name }) => metrics?.includes(name) ?? true).map(metricFile);

const checkSameVocabulary = ({ vocabulary: real }: TokenCohort, { vocabulary: other }: TokenCohort): void => {
  if (vocabularyDigest(real) === vocabularyDigest(other)) return;
  const size = ({ codes, labels }: Vocabulary) => `${codes.length} codes, ${labels.length} labels`;
  throw new StageError(
    'InvalidConfig',
    `the synthetic cohort speaks another vocabulary (${size(other)}) than the real one (${size(real)}): ` +
      'generate it from a model that was trained on this token cohort',
  );
};

/** A family's work: what its metrics are computed from, and which slots of the stage that is. */
interface FamilyTask {
  family: Family;
  params: MetricParams;
  inputs: { real: ArtifactRef; synthetic: ArtifactRef };
}

/**
 * The body of every stage that computes metrics: `scorecard.json` and, for plots, `series.json`. Each metric is a
 * part of its own, so that adding or changing one computes one, and a stage that died goes on after the last.
 */
export async function* scoreFamily(
  { family, params, inputs }: FamilyTask,
  { open, draft }: Pick<StageTools, 'open' | 'draft'>,
): AsyncGenerator<Progress, Summary> {
  const metrics = chosen(family, params.metrics);
  const real = await readTokenCohort(await open(inputs.real));
  const synthetic = await readTokenCohort(await open(inputs.synthetic));
  checkSameVocabulary(real, synthetic);
  const { seed, replicates, options } = params;
  const scoring: Scoring = {
    generator: synthetic.generator ?? 'unnamed',
    vocabulary: real.vocabulary,
    train: splitColumns(real, 'train'),
    validation: splitColumns(real, 'validation'),
    holdout: splitColumns(real, 'holdout'),
    synthetic,
    metrics,
    options,
    seed,
    replicates,
  };
  const { card, series } = yield* scoreCohort(scoring);
  await draft.write('scorecard.json', `${JSON.stringify(card, null, 2)}\n`);
  await draft.write('series.json', `${JSON.stringify(series)}\n`);
  return Object.fromEntries(
    Object.entries(headlineOf(card)).map(([heading, value]) => [heading, value ?? 'not defined']),
  );
}
