import type { Sampler } from '../pipelines/generation/generator.ts';
import {
  checkTrainedOn,
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
import type { MetricRow, Scorecard } from '../schemas/scorecard.ts';
import type { OpenArtifact } from '../schemas/store.ts';
import type { Vocabulary } from '../schemas/vocabulary.ts';
import type { StageTools, Summary } from './stage-body.ts';

type Family = MetricRow['family'];

/** The metrics of these names, or all. Throws InvalidConfig on an unknown name. */
const chosen = (family: Family, names?: readonly string[]): Metric[] => {
  const known = metricsOf(family);
  const where = `${family}.metrics`;
  return (names ?? [...known.keys()]).map((name) =>
    named(`${family} metric`, known, name, { code: 'InvalidConfig', where }),
  );
};

/**
 * The files of the metrics that a stage will compute, and of all generators if one of the metrics needs the
 * model.
 */
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

/** What the metrics are computed from: token cohorts, and models for the metrics that need one. */
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

/**
 * The model that made the cohort, by the cohort's lineage, and its card; undefined where it is not among
 * `models`.
 */
const modelOf = async (
  { manifest }: OpenArtifact,
  models: readonly ArtifactRef[] = [],
  open: Tools['open'],
): Promise<{ artifact: OpenArtifact; card: ModelCard } | undefined> => {
  const maker = manifest.lineage.inputs['model']?.[0];
  const ref = models.find(({ digest }) => digest === maker?.digest);
  if (!ref) return undefined;
  const artifact = await open(ref);
  return { artifact, card: await readModelCard(artifact) };
};

/**
 * Whether what such a model makes is the baseline of a run. One that saw a part of the patients only is not.
 */
const isBaseline = ({ generator, subset }: ModelCard): boolean =>
  subset === undefined && generators.get(generator)?.baseline === true;

const openedModel = async (source: ModelSource, vocabulary: Vocabulary): Promise<Sampler> => {
  const model = await readModel(source);
  checkTrainedOn(model, vocabulary);
  return openModel(model);
};

/** Reads the parties; their content and splits alone decide what a metric finds. */
const partiesOf = async ({ params, inputs }: FamilyTask, open: Tools['open']) => {
  const real = await readTokenCohort(await open(inputs.real));
  const made = await open(inputs.synthetic);
  const synthetic = await readTokenCohort(made);
  checkSameVocabulary(real, synthetic);
  const { vocabulary } = real;
  const model = await modelOf(made, inputs.models, open);
  const train = splitColumns(real, 'train');
  const { seed, replicates, suppressBelow, options } = params;
  return {
    generator: params.branch ?? synthetic.generator ?? 'unnamed',
    vocabulary,
    train,
    learned: model?.card.subset && learnedFrom(model.card, train),
    validation: splitColumns(real, 'validation'),
    holdout: splitColumns(real, 'holdout'),
    synthetic,
    card: model?.card,
    model: model && (() => openedModel(model.artifact, vocabulary)),
    learner: model?.card,
    options,
    seed,
    replicates,
    suppressBelow,
  };
};

/** Each metric as a part of the stage, with a key of its own: what the cohort is called is not in it. */
const keepParts = ({ params, inputs }: FamilyTask, card: ModelCard | undefined, part: Tools['part']): Keep =>
  async function* (metric, options, compute) {
    const { real, synthetic, models = [] } = inputs;
    const needsModel = metric.needs.includes('model');
    // Which patients were trained on is known from the model, too.
    const dependsOnModel = needsModel || card?.subset !== undefined;
    const { seed, replicates, suppressBelow } = params;
    const task = {
      name: metric.name,
      code: [
        metricFile(metric),
        import.meta.url,
        ...(needsModel && card && generators.has(card.generator) ? [generatorFile(card.generator)] : []),
      ],
      params: { options, seed, replicates, suppressBelow },
      inputs: { real, synthetic, ...(dependsOnModel && { models }) },
    };
    return scoredMetric.parse(yield* part(task, compute));
  };

/**
 * The body of every stage that computes metrics: `scorecard.json` and, for plots, `series.json`. Each metric
 * is a part of its own, so that adding or changing one computes one, and a stage that died goes on after the
 * last.
 */
export async function* scoreFamily(task: FamilyTask, tools: Tools): AsyncGenerator<Progress, Summary> {
  const { open, draft, part } = tools;
  const metrics = chosen(task.family, task.params.metrics);
  const { card: fitted, ...parties } = await partiesOf(task, open);
  const scored = yield* scoreCohort({ ...parties, metrics }, keepParts(task, fitted, part));
  const card: Scorecard = { ...scored.card, baseline: fitted && isBaseline(fitted) ? true : undefined };
  await writeScorecard(draft, { ...scored, card });
  return Object.fromEntries(
    Object.entries(headlineOf(scored.card)).map(([heading, value]) => [heading, value ?? 'not defined']),
  );
}
