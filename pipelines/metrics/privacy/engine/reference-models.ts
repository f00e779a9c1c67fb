import { generatorConfig, type Sampler } from '../../../generation/generator.ts';
import { scoreByMarginals, smoothedMarginals } from '../../../generators/marginal/score.ts';
import { generatorNamed } from '../../../generators/registry.ts';
import { type AsyncSteps, asyncPhase } from '../../../kernel/steps.ts';
import { longestRecord, patientCount, type VisitColumns } from '../../../patients/visit-columns.ts';
import type { MetricInput } from '../../metric.ts';
import { sample } from '../../statistics/samples.ts';

/** Fewer reference patients teach a model nothing that a calibration could use. */
export const leastReferences = 20;

/**
 * Weight of the smoothed marginals in a reference: without it a code that it has never seen is impossible.
 */
const marginalWeight = 0.01;

interface ReferenceTask extends Pick<MetricInput, 'learner' | 'validation' | 'vocabulary' | 'seed'> {
  /** Real patients whom the attacked model has not seen, and who are not attacked. */
  references: VisitColumns;
  /** How many models are trained: one on all references, several each on a random half of them. */
  models: number;
  /** Most training steps of each. */
  steps: number;
}

/** A model like the attacked one, fitted to reference patients; the caller disposes of the sampler. */
async function* fitted(
  { learner, validation, vocabulary, seed, steps }: ReferenceTask,
  train: VisitColumns,
  model: number,
): AsyncSteps<Sampler> {
  if (!learner) throw new RangeError('reference models need the generator that made the attacked one');
  const generator = generatorNamed(learner.generator);
  const config = generatorConfig(generator, learner.config);
  const fitting = await generator.fit({ vocabulary, train, validation }, config, seed + model);
  try {
    const of = Math.min(steps, fitting.steps);
    for (let step = 1; step <= of && !fitting.finished; step++) {
      const { epoch } = await fitting.step();
      yield { step, of, phase: `reference model ${model + 1}, epoch ${epoch}` };
    }
    return await generator.open(await fitting.model(), config, vocabulary);
  } finally {
    fitting.dispose();
  }
}

/** A patient's probability under the reference models, `[patients]`. */
export interface ReferenceScores {
  /** Mean of its logarithms: what offline LiRA with a fixed variance compares with. */
  meanLog: Float64Array;
  /** Logarithm of its mean: what RMIA compares with. */
  logMean: Float64Array;
}

/** ln(eᵃ + eᵇ) of finite numbers, or where one is −∞. */
const logSum = (a: number, b: number): number => {
  const most = Math.max(a, b);
  return most + Math.log(Math.exp(a - most) + Math.exp(b - most));
};

/**
 * The patients of each cohort under models of other patients; undefined where these define no probability.
 */
export async function* referenceScores(
  task: ReferenceTask,
  cohorts: readonly VisitColumns[],
): AsyncSteps<ReferenceScores[] | undefined> {
  const { references, models, vocabulary, seed } = task;
  const sums = cohorts.map((columns) => ({
    meanLog: new Float64Array(patientCount(columns)),
    logMean: new Float64Array(patientCount(columns)).fill(Number.NEGATIVE_INFINITY),
  }));
  const sizes = { codes: vocabulary.codes.length, labels: vocabulary.labels.length };
  const longest = cohorts.reduce((most, columns) => Math.max(most, longestRecord(columns)), 0);
  const marginals = smoothedMarginals(references, sizes, longest);
  for (let model = 0; model < models; model++) {
    const half = Math.ceil(patientCount(references) / 2);
    const learned = models === 1 ? references : sample(references, half, seed + model, 'test');
    const sampler = yield* asyncPhase('training', 2 * model, 2 * models, fitted(task, learned, model));
    try {
      for (const [i, columns] of cohorts.entries()) {
        const scores = sampler.score?.(columns);
        if (!scores) return undefined;
        const { logProbability } = yield* asyncPhase('scoring', 2 * model + 1, 2 * models, scores);
        const plain = (yield* scoreByMarginals(marginals, columns)).logProbability;
        const { meanLog, logMean } = sums[i] as ReferenceScores;
        for (const [patient, log] of logProbability.entries()) {
          const own = log + Math.log1p(-marginalWeight);
          const mixed = logSum(own, (plain[patient] as number) + Math.log(marginalWeight));
          meanLog[patient] = (meanLog[patient] as number) + mixed / models;
          logMean[patient] = logSum(logMean[patient] as number, mixed - Math.log(models));
        }
      }
    } finally {
      sampler.dispose();
    }
  }
  return sums;
}
