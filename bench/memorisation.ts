/**
 * Fidelity against memorisation, epoch by epoch: losses of training and holdout patients, the AUC of the calibrated
 * membership attack with its 95 % interval, and R² of code prevalence, same-visit and consecutive-visit pairs.
 *
 *   node bench/memorisation.ts GENERATOR PATIENTS|demo [CONFIG as JSON …] [--every 5] [--seed 0] [--json FILE] [--svg FILE]
 *
 * Trained as a run does it, with a ninth as many validation patients, on simulated patients or the MIMIC-III demo; one row
 * per config. With `--every N`: without validation, a row after every N-th epoch, of the weights as they are then, not
 * calibrated. PromptEHR defines no probability of a record; it is attacked with its probabilities of each visit's codes
 * given the visits before. R² is against the holdout, of the demo against its training patients: 18 strangers show none.
 * `--json` adds the rows to those that the file has; `--svg` draws all of them. docs/halo.md has the results.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
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
import sequentialPairs from '../pipelines/metrics/similarity/sequential-pairs.ts';
import { lengthHistogram, patientCount, type VisitColumns } from '../pipelines/patients/visit-columns.ts';
import { demoFolder, tokensOf } from './demo-cohort.ts';
import { type Agreement, type Point, tradeOff } from './memorisation-plot.ts';
import { structuredCohort, structuredShape } from './structured-cohort.ts';

const { values, positionals } = parseArgs({
  options: {
    every: { type: 'string' },
    seed: { type: 'string', default: '0' },
    json: { type: 'string' },
    svg: { type: 'string' },
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
/** What R² is about. */
const compared = size === 'demo' ? data.train : holdout;
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

/** Mean R² over some synthetic cohorts, of patients as they are and by visit. */
const rSquared = (
  metric: typeof codePairs | typeof codePrevalence | typeof sequentialPairs,
  cohorts: readonly VisitColumns[],
): Agreement => {
  const found = cohorts.map((synthetic) => {
    const { rows } = drain(
      metric.compute({
        ...{ vocabulary, train: compared, validation: empty, holdout: empty, synthetic },
        ...{ rows: [], options: {}, seed: 0, replicates: 0 },
      }),
    );
    return (name: string) => rows.find(({ row }) => row === name)?.value ?? Number.NaN;
  });
  const mean = (name: string) => found.reduce((sum, ofRow) => sum + ofRow(name), 0) / found.length;
  return { byRecord: mean('record-r2'), byVisit: mean('visit-r2') };
};

const measure = async (generator: Generator, fitting: Fitting, parsed: unknown) => {
  const sampler = await generator.open(await fitting.model(), parsed, vocabulary);
  const { train } = data;
  const count = patientCount(train);
  const cohorts: VisitColumns[] = [];
  // R² of few patients varies: some cohorts of the training set's size, a thousand patients together where
  // sampling takes no minutes.
  for (let i = 0; i === 0 || (sampler.score && i * count < 1000); i++)
    cohorts.push(await sampler.sample({ first: i * count, count, seed: seed + 1 }));
  const synthetic = cohorts[0] as VisitColumns;
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
    prevalence: rSquared(codePrevalence, cohorts),
    pairs: rSquared(codePairs, cohorts),
    sequences: rSquared(sequentialPairs, cohorts),
  };
};

const heading =
  'epoch  loss: training  holdout    gap   attack AUC             R²: codes  pairs  /visit  consecutive  /visit  seconds';

const lineOf = (point: Point): string => {
  const { epoch, trainingLoss, holdoutLoss, attackAuc, attackInterval, seconds } = point;
  const [low, high] = attackInterval;
  const { prevalence, pairs, sequences } = point;
  const number = (value: number, width: number) => value.toFixed(3).padStart(width);
  return (
    `${String(epoch).padStart(5)}${number(trainingLoss, 16)}${number(holdoutLoss, 9)}${number(holdoutLoss - trainingLoss, 7)}   ` +
    `${number(attackAuc, 5)} [${number(low, 5)}, ${number(high, 5)}]${number(prevalence.byRecord, 15)}` +
    `${number(pairs.byRecord, 7)}${number(pairs.byVisit, 8)}${number(sequences.byRecord, 13)}${number(sequences.byVisit, 8)}` +
    `${seconds.toFixed(0).padStart(9)}`
  );
};

await startBackend();
const { json, svg } = values;
const points: Point[] = json && existsSync(json) ? JSON.parse(await readFile(json, 'utf8')) : [];
const every = values.every === undefined ? undefined : Number(values.every);
console.log(heading);
for (const text of given.length > 0 ? given : ['{}']) {
  const config: Record<string, unknown> = JSON.parse(text);
  const generator = generatorNamed(name);
  const parsed = generatorConfig(generator, every ? { ...config, folds: 0 } : config);
  const start = process.cpuUsage();
  const fitting = await generator.fit(every ? { ...data, validation: empty } : data, parsed, seed);
  const note = async (epoch: number, isEnd: boolean) => {
    const { user, system } = process.cpuUsage(start);
    const point: Point = {
      ...{ generator: name, version: generator.version, cohort: size, config, epoch, isEnd },
      ...(await measure(generator, fitting, parsed)),
      seconds: (user + system) / 1e6,
    };
    points.push(point);
    console.log(lineOf(point));
  };
  console.log(`${name} ${text}`);
  const batches = fitting.steps / Number(fitting.settings['epochs'] ?? 1);
  let epoch = 0;
  for (let step = 1; !fitting.finished; step++) {
    epoch = (await fitting.step()).epoch;
    if (every && step < fitting.steps && step % (every * batches) === 0) await note(epoch, false);
  }
  if (!every) await note(epoch, true);
  fitting.dispose();
}
if (json) await writeFile(json, `${JSON.stringify(points, undefined, 1)}\n`);
if (svg) await writeFile(svg, tradeOff(points));
