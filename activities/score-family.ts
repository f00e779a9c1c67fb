import type { Sampler } from '../pipelines/generation/generator.ts';
import {
  checkTrainedOn,
  cohortNameOf,
  type ModelCard,
  type ModelSource,
  readModel,
  readModelCard,
} from '../pipelines/generation/model-file.ts';
import { learnedFrom, splitColumns } from '../pipelines/generation/training-data.ts';
import { generatorFile, generators, openModel } from '../pipelines/generators/registry.ts';
import { named } from '../pipelines/kernel/names.ts';
import type { Metric } from '../pipelines/metrics/metric.ts';
import { metricFile, metricsOf } from '../pipelines/metrics/registry.ts';
import { headlineOf, type Keep, scoreCohort } from '../pipelines/metrics/score-cohort.ts';
import { scoredMetric } from '../pipelines/metrics/score-metric.ts';
import { writeScorecard } from '../pipelines/metrics/scorecard-file.ts';
import type { TokenCohort } from '../pipelines/patients/visit-columns.ts';
import { vocabularyDigest } from '../pipelines/patients/vocabulary-digest.ts';
import { readTokenCohort } from '../pipelines/tokens/token-cohort-file.ts';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { StageError } from '../schemas/errors.ts';
import type { MetricParams } from '../schemas/metric-params.ts';
import type { Progress } from '../schemas/progress.ts';
import type { MetricRow } from '../schemas/scorecard.ts';
import type { Vocabulary } from '../schemas/vocabulary.ts';
import type { StageTools, Summary } from './stage-body.ts';

type Family = MetricRow['family'];

/** The metrics that are named, or all; throws InvalidConfig on an unknown name. */
const chosen = (family: Family, names?: readonly string[]): Metric[] => {
  const known = metricsOf(family);
  const where = `${family}.metrics`;
  return (names ?? [...known.keys()]).map((name) =>
    named(`${family} metric`, known, name, { code: 'InvalidConfig', where }),
  );
};

/** The files of the metrics that a stage will compute, and of all models if one of them needs the model. */
export const metricFiles = (family: Family, { metrics }: Pick<MetricParams, 'metrics'>): string[] => {
  const asked = [...metricsOf(family).values()].filter(({ name }) => metrics?.includes(name) ?? true);
  const models = asked.some(({ needs }) => needs.includes('model')) ? generators.keys() : [];
  return [...asked.map(metricFile), ...[...models].map(generatorFile)];
};

const checkSameVocabulary = ({ vocabulary: real }: TokenCohort, { vocabulary: other }: TokenCohort): void => {
  if (vocabularyDigest(real) === vocabularyDigest(other)) return;
  const size = ({ codes, labels }: Vocabulary) => `${codes.length} codes, ${labels.length} labels`;
  throw new StageError(
    'InvalidConfig',
    `the synthetic cohort has another vocabulary (${size(other)}) than the real one (${size(real)}): ` +
      'generate it from a model that was trained on this token cohort',
  );
};

/** What is computed from: token cohorts, and models for the metrics that need one. */
interface FamilyInputs {
  real: ArtifactRef;
  synthetic: ArtifactRef;
  models?: ArtifactRef[];
}

interface FamilyTask {
  family: Family;
  params: MetricParams;
  inputs: FamilyInputs;
}

type Tools = Pick<StageTools, 'open' | 'draft' | 'part'>;

/** The model that generated the synthetic cohort, among those given, and its card. */
const modelOf = async (cohort: string, models: ArtifactRef[] = [], open: Tools['open']) => {
  for (const ref of models) {
    const artifact = await open(ref);
    const card = await readModelCard(artifact);
    if (cohortNameOf(card) === cohort) return { artifact, card };
  }
  return undefined;
};

const openedModel = async (source: ModelSource, vocabulary: Vocabulary): Promise<Sampler> => {
  const model = await readModel(source);
  checkTrainedOn(model, vocabulary);
  return openModel(model);
};

/** Reads the cohorts and models; their content, and how they are split, decide the result of a metric. */
const partiesOf = async ({ params, inputs }: FamilyTask, open: Tools['open']) => {
  const real = await readTokenCohort(await open(inputs.real));
  const synthetic = await readTokenCohort(await open(inputs.synthetic));
  checkSameVocabulary(real, synthetic);
  const { vocabulary } = real;
  const { generator = 'unnamed' } = synthetic;
  const model = await modelOf(generator, inputs.models, open);
  const train = splitColumns(real, 'train');
  const { seed, replicates, suppressBelow, options } = params;
  return {
    generator,
    vocabulary,
    train,
    ...(model?.card.subset && { learned: learnedFrom(model.card, train) }),
    validation: splitColumns(real, 'validation'),
    holdout: splitColumns(real, 'holdout'),
    synthetic,
    ...(model && {
      card: model.card,
      model: () => openedModel(model.artifact, vocabulary),
    }),
    options,
    seed,
    replicates,
    suppressBelow,
  };
};

/** Each metric as a part of the stage, with a key of its own. */
const keepParts = ({ params, inputs }: FamilyTask, card: ModelCard | undefined, part: Tools['part']): Keep =>
  async function* (metric, options, compute) {
    const { real, synthetic, models = [] } = inputs;
    const asksModel = metric.needs.includes('model');
    // Which patients were trained on is known from the model, too.
    const hangsOnModel = asksModel || card?.subset !== undefined;
    const { seed, replicates, suppressBelow } = params;
    const task = {
      name: metric.name,
      code: [
        metricFile(metric),
        import.meta.url,
        ...(asksModel && card && generators.has(card.generator) ? [generatorFile(card.generator)] : []),
      ],
      params: { options, seed, replicates, suppressBelow },
      inputs: { real, synthetic, ...(hangsOnModel && { models }) },
    };
    return scoredMetric.parse(yield* part(task, compute));
  };

/**
 * The body of every stage that computes metrics: `scorecard.json` and, for plots, `series.json`. Each metric is a
 * part of its own, so that adding or changing one computes one, and a stage that died goes on after the last.
 */
export async function* scoreFamily(task: FamilyTask, tools: Tools): AsyncGenerator<Progress, Summary> {
  const { open, draft, part } = tools;
  const metrics = chosen(task.family, task.params.metrics);
  const { card: fitted, ...parties } = await partiesOf(task, open);
  const scored = yield* scoreCohort({ ...parties, metrics }, keepParts(task, fitted, part));
  await writeScorecard(draft, scored);
  return Object.fromEntries(
    Object.entries(headlineOf(scored.card)).map(([heading, value]) => [heading, value ?? 'not defined']),
  );
}
