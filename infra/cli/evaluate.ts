import { join, resolve } from 'node:path';
import { z } from 'zod';
import { baselineChoices } from '../../pipelines/exchange/evaluate/baseline-choice.ts';
import type { Evaluation } from '../../pipelines/exchange/evaluate/evaluate-cohorts.ts';
import { named } from '../../pipelines/kernel/names.ts';
import type { Metric } from '../../pipelines/metrics/metric.ts';
import { type Modality, modalities } from '../../schemas/ehr.ts';
import { StageError } from '../../schemas/errors.ts';
import { localPath } from '../../schemas/local-path.ts';
import { metricParams } from '../../schemas/metric-params.ts';
import { families } from '../../schemas/scorecard.ts';
import { type OutputFolder, outputFolder } from '../output.ts';
import { type CommandIo, defineCommand } from './command.ts';
import { driven } from './driven.ts';
import { loadMetricOptions } from './metric-options.ts';

const list = z.array(z.string()).optional();
const defaultModalities: readonly Modality[] = ['dx', 'px', 'rx'];

const options = z.object({
  train: z.string().min(1).describe('real patients that the generator was trained on; file or folder'),
  test: z.string().min(1).optional().describe('real patients that no generator has seen'),
  synthetic: z.string().min(1).describe('the synthetic patients to score'),
  model: z
    .string()
    .min(1)
    .optional()
    .describe(
      'model that generated them, for metrics that need it: a folder, or `model:<digest>` of the store',
    ),
  metrics: list.describe('names from `understudy metrics`, separated by commas; default: all'),
  families: list.describe(`of ${families.join(', ')}, separated by commas; default: all`),
  modalities: list.describe(
    `code systems to compare, of ${modalities.join(', ')}, separated by commas; default: ${defaultModalities.join(',')}`,
  ),
  options: z
    .string()
    .min(1)
    .optional()
    .describe('YAML or JSON file with settings of metrics, as `<family>.options.<metric>` in a run config'),
  baseline: z
    .enum(baselineChoices)
    .default('cheap')
    .describe(
      'baseline of independent marginals fitted to train, scored beside the cohort: by all metrics that train no network (cheap), by all, or not',
    ),
  seed: metricParams.shape.seed,
  replicates: metricParams.shape.replicates,
  suppressBelow: metricParams.shape.suppressBelow,
  out: localPath.describe('folder for scorecard.json, baseline.json, report.html and report.json'),
  force: z.boolean().default(false).describe('replace an evaluation that exists there'),
});
type Options = z.output<typeof options>;

/** `['a,b', 'c']` to what `known` has of a, b and c; all of `fallback` where nothing was given. */
const chosen = <T>(
  what: string,
  given: string[] | undefined,
  known: ReadonlyMap<string, T>,
  fallback: readonly T[],
): T[] => {
  if (!given) return [...fallback];
  const names = given.flatMap((part) => part.split(',')).map((name) => name.trim());
  const found = [...new Set(names)].filter((name) => name !== '').map((name) => named(what, known, name));
  if (found.length === 0)
    throw new StageError('InvalidUsage', `no ${what} is named; known are: ${[...known.keys()].join(', ')}`);
  return found;
};

const byName = <T extends string>(names: readonly T[]): ReadonlyMap<string, T> =>
  new Map(names.map((name) => [name, name]));

const chosenMetrics = (given: Options, all: ReadonlyMap<string, Metric>): Metric[] => {
  const wanted = chosen('family', given.families, byName(families), families);
  const metrics = chosen('metric', given.metrics, all, [...all.values()]);
  const found = metrics.filter(({ family }) => wanted.includes(family));
  if (found.length > 0) return found;
  throw new StageError('InvalidUsage', `none of the metrics asked for is of family ${wanted.join(', ')}`);
};

/** Starts the tensor backend, unless no metric can need it. Returns its description. */
const engineFor = async (metrics: readonly Metric[], given: Options, io: CommandIo): Promise<string> => {
  if (given.model === undefined && metrics.every(({ family }) => family === 'similarity'))
    return 'no backend';
  const { startBackend } = await import('../backend.ts');
  const { name, version, library, device } = await startBackend(io.err);
  return [name, library ?? version, device, process.arch].join(' ');
};

const printCohorts = ({ sides, notes }: Evaluation, io: CommandIo): void => {
  for (const { side, layout, patients, notes: own } of sides) {
    io.err(`${side}: ${patients} patients, read as ${layout}`);
    for (const note of own) io.err(`  note: ${note}`);
  }
  for (const note of notes) io.err(`note: ${note}`);
};

/** Digest of all code that decides the numbers. */
const codeOf = async (metrics: readonly Metric[], model: boolean): Promise<string> => {
  const { codeDigest } = await import('../../activities/code-digest.ts');
  const { generatorFile, generators } = await import('../../pipelines/generators/registry.ts');
  const { metricFile } = await import('../../pipelines/metrics/registry.ts');
  const science = new URL('../../pipelines/exchange/evaluate/evaluate-cohorts.ts', import.meta.url).href;
  const models = model ? [...generators.keys()].map(generatorFile) : [];
  return codeDigest([science, ...metrics.map(metricFile), ...models]);
};

const evaluateInto = async (
  folder: OutputFolder,
  metrics: readonly Metric[],
  given: Options,
  io: CommandIo,
) => {
  const { evaluateCohorts } = await import('../../pipelines/exchange/evaluate/evaluate-cohorts.ts');
  const { evaluationFiles } = await import('../../pipelines/exchange/evaluate/evaluation-report.ts');
  const { modelPlace } = await import('./model-place.ts');
  const { train, test, synthetic, baseline, seed, replicates, suppressBelow } = given;
  const model = given.model === undefined ? undefined : await modelPlace(given.model);
  const settings = await loadMetricOptions(given.options);
  const kept = chosen('modality', given.modalities, byName(modalities), defaultModalities);
  const engine = await engineFor(metrics, given, io);
  const work = evaluateCohorts({
    paths: { train, synthetic, ...(test === undefined ? {} : { test }) },
    ...(model === undefined ? {} : { model }),
    metrics,
    options: settings,
    baseline,
    modalities: kept,
    seed,
    replicates,
    suppressBelow,
    scratch: folder.scratch,
  });
  const evaluation = await driven(work, io);
  const setting = {
    title: `Evaluation of ${evaluation.card.generator}`,
    suppressBelow,
    params: { seed, replicates, suppressBelow, baseline, options: settings, modalities: kept },
    code: await codeOf(metrics, model !== undefined),
    engine,
  };
  const { data, files } = evaluationFiles(evaluation, setting);
  await folder.publish(files);
  return { ...evaluation, data };
};

/** Evaluates, shows the result and returns what `--json` prints, and the checks that failed. */
export const evaluateTo = async (given: Options, io: CommandIo) => {
  const { metrics: all } = await import('../../pipelines/metrics/registry.ts');
  const { evaluationFileNames } = await import('../../pipelines/exchange/evaluate/evaluation-report.ts');
  const { headlineOf } = await import('../../pipelines/metrics/score-cohort.ts');
  const { leaderboard } = await import('../demo/leaderboard.ts');
  const metrics = chosenMetrics(given, all);
  const folder = await outputFolder(given.out, evaluationFileNames, given.force);
  try {
    const evaluation = await evaluateInto(folder, metrics, given, io);
    const { card, baseline, sides, notes, data } = evaluation;
    const report = join(resolve(given.out), 'report.html');
    const verdict = data.verdict.sentence;
    printCohorts(evaluation, io);
    io.out(
      `\nAgainst the real training patients:\n${leaderboard([card, ...(baseline ? [baseline.card] : [])])}\n\nreport   ${report}\nverdict  ${verdict}`,
    );
    const { generator, cohorts } = card;
    const headline = headlineOf(card);
    const beside = baseline ? { baseline: headlineOf(baseline.card) } : {};
    const failed = data.checks
      .filter(({ verdicts }) =>
        verdicts.some((found) => found.generator === generator && found.outcome === 'failed'),
      )
      .map(({ short }) => short);
    return { generator, headline, ...beside, cohorts, sides, notes, report, verdict, failed };
  } finally {
    await folder.discard();
  }
};

export const evaluateCommand = defineCommand({
  name: 'evaluate',
  summary: 'score any synthetic cohort in files against real ones, without a server',
  positionals: z.object({}),
  options,
  run: evaluateTo,
});
