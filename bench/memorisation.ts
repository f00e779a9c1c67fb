/**
 * Fidelity against memorisation, epoch by epoch: losses of training and holdout patients, the AUC of the calibrated
 * membership attack with its 95 % interval, and R² of code prevalence and same-visit pairs against a holdout.
 *
 *   node bench/memorisation.ts GENERATOR PATIENTS|demo [CONFIG as JSON …] [--every 5] [--seed 0] [--json FILE]
 *
 * Trained as a run does it, with a ninth as many validation patients, on simulated patients or the MIMIC-III demo; one row
 * per config. With `--every N`: without validation patients, a row after every N-th epoch, of the weights as they are
 * then, not calibrated. PromptEHR defines no probability of a record; it is attacked with its probabilities of each
 * visit's codes given the visits before. docs/halo.md has the results.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { startBackend } from '../infra/backend.ts';
import type { Fitting, Generator, Sampler, TrainingData } from '../pipelines/generation/generator.ts';
import { generatorConfig } from '../pipelines/generation/generator.ts';
import { splitColumns } from '../pipelines/generation/training-data.ts';
import { conditionalByMarginals } from '../pipelines/generators/marginal/conditional.ts';
import { scoreByMarginals, smoothedMarginals } from '../pipelines/generators/marginal/score.ts';
import { generatorNamed } from '../pipelines/generators/registry.ts';
import { drain, drainAsync } from '../pipelines/kernel/steps.ts';
import { scoreAttack } from '../pipelines/metrics/privacy/engine/attack-scores.ts';
import codePairs from '../pipelines/metrics/similarity/code-pairs.ts';
import codePrevalence from '../pipelines/metrics/similarity/code-prevalence.ts';
import { lengthHistogram, patientCount, type VisitColumns } from '../pipelines/patients/visit-columns.ts';
import { demoFolder, tokensOf } from './demo-cohort.ts';
import { structuredCohort, structuredShape } from './structured-cohort.ts';

const { values, positionals } = parseArgs({
  options: {
    every: { type: 'string' },
    seed: { type: 'string', default: '0' },
    json: { type: 'string' },
  },
  allowPositionals: true,
});
const [name = 'halo', size = '1500', ...given] = positionals;
const seed = Number(values.seed);

const simulated = (patients: number): TrainingData & { holdout: VisitColumns } => ({
  vocabulary: {
    codes: Array.from({ length: structuredShape.codes }, (_, i) => ({ modality: 'dx', code: String(i) })),
    labels: Array.from({ length: structuredShape.labels }, (_, i) => `L${i}`),
  },
  train: structuredCohort(patients, 1),
  validation: structuredCohort(Math.ceil(patients / 9), 2),
  holdout: structuredCohort(patients, 3),
});

const demo = async () => {
  const cohort = await tokensOf(demoFolder);
  const { vocabulary } = cohort;
  const [train, validation, holdout] = (['train', 'validation', 'holdout'] as const).map((split) =>
    splitColumns(cohort, split),
  ) as [VisitColumns, VisitColumns, VisitColumns];
  return { vocabulary, train, validation, holdout };
};

const data = size === 'demo' ? await demo() : simulated(Number(size));
const { vocabulary, holdout } = data;
const empty = structuredCohort(0, 0);

/** Per patient: ln probability, and the codes and labels that it is of. */
const likelihoods = async (sampler: Sampler, columns: VisitColumns) => {
  if (sampler.score) {
    const { logProbability, positives } = await drainAsync(sampler.score(columns));
    return { logProbability, positives: Float64Array.from(positives) };
  }
  if (!sampler.conditional) throw new RangeError(`${name} gives no probabilities`);
  return byVisit(await drainAsync(sampler.conditional(columns)), columns);
};

const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);

/** Sums over the visits of each patient. */
const byVisit = (
  { longitudinal, codes }: { longitudinal: Float64Array; codes: Int32Array },
  { visitOffsets }: VisitColumns,
) => {
  const kinds = longitudinal.length / Math.max(1, visitOffsets.at(-1) as number);
  const sums = (of: Float64Array) =>
    Float64Array.from({ length: visitOffsets.length - 1 }, (_, patient) => {
      const [from, to] = [visitOffsets[patient] as number, visitOffsets[patient + 1] as number];
      return total(of.subarray(from * kinds, to * kinds));
    });
  return {
    logProbability: sums(longitudinal).map((loss) => -loss),
    positives: sums(Float64Array.from(codes)),
  };
};

/** The same of smoothed marginals of the synthetic cohort: what the attack subtracts. */
const common = async (isConditional: boolean, synthetic: VisitColumns, columns: VisitColumns) => {
  const sizes = { codes: vocabulary.codes.length, labels: vocabulary.labels.length };
  const longest = lengthHistogram(columns.visitOffsets).counts.length - 1;
  const marginals = smoothedMarginals(synthetic, sizes, longest);
  if (!isConditional) return (await drainAsync(scoreByMarginals(marginals, columns))).logProbability;
  return byVisit(await drainAsync(conditionalByMarginals(marginals, vocabulary, columns)), columns)
    .logProbability;
};

const rSquared = (
  metric: typeof codePairs | typeof codePrevalence,
  real: VisitColumns,
  synthetic: VisitColumns,
) => {
  const { rows } = drain(
    metric.compute({
      ...{ vocabulary, train: real, validation: empty, holdout: empty, synthetic },
      ...{ rows: [], options: {}, seed: 0, replicates: 0 },
    }),
  );
  return rows.find(({ row }) => row === 'record-r2')?.value ?? Number.NaN;
};

interface Point {
  generator: string;
  patients: number;
  config: unknown;
  epoch: number;
  /** Nats per code or label that is present. */
  trainingLoss: number;
  holdoutLoss: number;
  attackAuc: number;
  attackInterval: readonly [number, number];
  prevalence: number;
  /** R² of same-visit pairs against the holdout, and against the training patients. */
  pairs: number;
  pairsOfTraining: number;
  seconds: number;
}

const measure = async (generator: Generator, fitting: Fitting, parsed: unknown) => {
  const sampler = await generator.open(await fitting.model(), parsed, vocabulary);
  const { train } = data;
  const synthetic = await sampler.sample({ first: 0, count: patientCount(train), seed: seed + 1 });
  const loss = async (columns: VisitColumns) => {
    const { logProbability, positives } = await likelihoods(sampler, columns);
    const usual = await common(!sampler.score, synthetic, columns);
    return {
      excess: logProbability.map((log, patient) => log - (usual[patient] as number)),
      perCode: -total(logProbability) / total(positives),
    };
  };
  const [members, others] = [await loss(train), await loss(holdout)];
  sampler.dispose();
  const { auc } = scoreAttack(
    { members: members.excess, nonMembers: others.excess },
    { seed: 0, replicates: 500 },
  );
  return {
    trainingLoss: members.perCode,
    holdoutLoss: others.perCode,
    attackAuc: auc.value ?? Number.NaN,
    attackInterval: (auc.interval ?? [Number.NaN, Number.NaN]) as [number, number],
    prevalence: rSquared(codePrevalence, holdout, synthetic),
    pairs: rSquared(codePairs, holdout, synthetic),
    pairsOfTraining: rSquared(codePairs, train, synthetic),
  };
};

await startBackend();
const points: Point[] = [];
const every = values.every === undefined ? undefined : Number(values.every);
console.log(
  'epoch  loss: training  holdout    gap   attack AUC                 prevalence  pairs  pairs of training  seconds',
);
for (const text of given.length > 0 ? given : ['{}']) {
  const config: unknown = JSON.parse(text);
  const generator = generatorNamed(name);
  const parsed = generatorConfig(generator, config);
  const start = process.cpuUsage();
  const fitting = await generator.fit(every ? { ...data, validation: empty } : data, parsed, seed);
  const note = async (epoch: number) => {
    const { user, system } = process.cpuUsage(start);
    const point: Point = {
      ...{ generator: name, patients: patientCount(data.train), config, epoch },
      ...(await measure(generator, fitting, parsed)),
      seconds: (user + system) / 1e6,
    };
    points.push(point);
    const { trainingLoss, holdoutLoss, attackInterval, attackAuc } = point;
    const [low, high] = attackInterval;
    console.log(
      `${String(epoch).padStart(5)} ${trainingLoss.toFixed(3).padStart(15)} ${holdoutLoss.toFixed(3).padStart(8)}` +
        `${(holdoutLoss - trainingLoss).toFixed(3).padStart(7)}   ${attackAuc.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]` +
        `${point.prevalence.toFixed(3).padStart(18)}${point.pairs.toFixed(3).padStart(7)}` +
        `${point.pairsOfTraining.toFixed(3).padStart(19)}${point.seconds.toFixed(0).padStart(9)}`,
    );
  };
  console.log(`${name} ${text}`);
  const batches = fitting.steps / Number(fitting.settings['epochs'] ?? 1);
  let epoch = 0;
  for (let step = 1; !fitting.finished; step++) {
    epoch = (await fitting.step()).epoch;
    if (every && step < fitting.steps && step % (every * batches) === 0) await note(epoch);
  }
  await note(epoch);
  fitting.dispose();
}
if (values.json) await writeFile(values.json, `${JSON.stringify(points, undefined, 1)}\n`);
