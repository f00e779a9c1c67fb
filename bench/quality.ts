/**
 * How close a generator with its default settings comes to real patients on a simulated cohort with structure: R² of
 * code prevalence, same-visit and consecutive-visit pairs against a holdout of the same size, beside the training patients
 * themselves (the real-vs-real reference) and independent marginals (the baseline). `node bench/quality.ts [generator] [patients] [config as JSON]`.
 */
import { parseArgs } from 'node:util';
import { startBackend } from '../infra/backend.ts';
import type { TrainingData } from '../pipelines/generation/generator.ts';
import { generatorConfig } from '../pipelines/generation/generator.ts';
import { generatorNamed } from '../pipelines/generators/registry.ts';
import { drain } from '../pipelines/kernel/steps.ts';
import codePairs from '../pipelines/metrics/similarity/code-pairs.ts';
import codePrevalence from '../pipelines/metrics/similarity/code-prevalence.ts';
import sequentialPairs from '../pipelines/metrics/similarity/sequential-pairs.ts';
import { patientCount, type VisitColumns } from '../pipelines/patients/visit-columns.ts';
import { structuredCohort, structuredShape } from './structured-cohort.ts';

const { positionals } = parseArgs({ allowPositionals: true });
const [name = 'halo', size = '5000', config = '{}'] = positionals;
const patients = Number(size);

const empty = structuredCohort(0, 0);
const holdout = structuredCohort(patients, 3);
const data: TrainingData = {
  vocabulary: {
    codes: Array.from({ length: structuredShape.codes }, (_, i) => ({ modality: 'dx', code: String(i) })),
    labels: Array.from({ length: structuredShape.labels }, (_, i) => `L${i}`),
  },
  train: structuredCohort(patients, 1),
  validation: structuredCohort(Math.ceil(patients / 9), 2),
};

/** R² of six frequency tables of the holdout, explained by those of `cohort`. */
const agreement = (cohort: VisitColumns): string =>
  [codePrevalence, codePairs, sequentialPairs]
    .flatMap((metric) => {
      const { rows } = drain(
        metric.compute({
          vocabulary: data.vocabulary,
          train: holdout,
          validation: empty,
          holdout: empty,
          synthetic: cohort,
          rows: [],
          options: {},
          seed: 0,
          replicates: 0,
        }),
      );
      return ['record-r2', 'visit-r2'].map(
        (row) => rows.find((found) => found.row === row)?.value ?? Number.NaN,
      );
    })
    .map((value) => value.toFixed(3).padStart(9))
    .join('');

async function drawn(generatorName: string, settings: unknown): Promise<VisitColumns> {
  const generator = generatorNamed(generatorName);
  const parsed = generatorConfig(generator, settings);
  const fitting = await generator.fit(data, parsed, 0);
  const start = performance.now();
  let steps = 0;
  let best = Number.POSITIVE_INFINITY;
  while (!fitting.finished) {
    const { loss, epoch, validationLoss } = await fitting.step();
    steps++;
    if (validationLoss === undefined) continue;
    best = Math.min(best, validationLoss);
    const minutes = ((performance.now() - start) / 60_000).toFixed(1);
    console.error(
      `epoch ${epoch} loss ${loss.toFixed(5)} validation ${validationLoss.toFixed(5)} after ${minutes} min`,
    );
  }
  console.error(
    `${generatorName}: ${steps} steps of at most ${fitting.steps}, validation loss ${best.toFixed(5)}`,
  );
  const sampler = await generator.open(await fitting.model(), parsed, data.vocabulary);
  fitting.dispose();
  const columns = await sampler.sample({ first: 0, count: patients, seed: 1 });
  sampler.dispose();
  return columns;
}

const per = (columns: VisitColumns): string => {
  const visits = columns.codeOffsets.length - 1;
  const perRecord = (visits / patientCount(columns)).toFixed(2);
  return `${perRecord} visits a record, ${(columns.codes.length / visits).toFixed(1)} codes a visit`;
};

await startBackend();
console.log(`${patients} training patients, as many in the holdout; ${per(holdout)}`);
const headings = ['codes', '/visit', 'pairs', '/visit', 'sequences', '/visit'];
console.log(`R² against the holdout ${headings.map((heading) => heading.padStart(9)).join('')}`);
const show = (title: string, columns: VisitColumns) =>
  console.log(`${title.padEnd(22)} ${agreement(columns)}   ${per(columns)}`);
show('training patients', data.train);
show('marginal', await drawn('marginal', {}));
show(name, await drawn(name, JSON.parse(config)));
