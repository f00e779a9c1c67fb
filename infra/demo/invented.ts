import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RandomSource } from '../../pipelines/kernel/random.ts';
import {
  codesOfVisit,
  labelsOfPatient,
  patientCount,
  patientsIn,
  type TokenCohort,
  type VisitColumns,
  VisitColumnsBuilder,
  visitRange,
} from '../../pipelines/patients/visit-columns.ts';
import { readTokenCohort, writeTokenCohort } from '../../pipelines/tokens/token-cohort-file.ts';
import { splits } from '../../schemas/ehr.ts';
import type { CommandIo } from '../cli/command.ts';
import { evaluateCommand, evaluateTo } from '../cli/evaluate.ts';
import { FailedOutcome } from '../cli/failure-report.ts';
import { shownPath } from '../cli/run-results.ts';
import type { RunSnapshot } from '../cli/run-view.ts';
import { createFileStore } from '../store/fs.ts';
import { writeInventedTables } from './invented-tables.ts';

const template = fileURLToPath(new URL('./invented.yaml', import.meta.url));

/** Invents the tables and puts the run config beside them; returns its path. */
export const inventedConfig = async (folder: string, patients: number, io: CommandIo): Promise<string> => {
  const tables = join(folder, 'tables');
  await rm(tables, { recursive: true, force: true });
  io.out(`Inventing the tables of ${patients.toLocaleString('en-US')} patients, who never lived …`);
  await writeInventedTables(tables, { patients, seed: 1 });
  const config = join(folder, 'invented.yaml');
  await writeFile(config, await readFile(template));
  return config;
};

/** Privacy metrics of the planted cohort: those that take seconds. */
const metrics = [
  ...['membership-nearest', 'membership-density-ratio', 'membership-local-likelihood', 'membership-visits'],
  'strongest-attack',
  ...['copies', 'copied-visits', 'nearest-neighbor-accuracy', 'singling-out', 'linkability'],
];

/**
 * What is planted: one synthetic patient in ten becomes a training patient with some of its codes dropped.
 */
const planted = { every: 10, dropped: 0.2 };

/**
 * A synthetic cohort in which some patients are noisy copies of training patients. Labels are copied as they
 * are.
 */
export const withPlantedCopies = (synthetic: TokenCohort, real: TokenCohort, seed: number): VisitColumns => {
  const training = patientsIn(real, splits.indexOf('train'));
  const source = new RandomSource(seed, 'patients');
  const builder = new VisitColumnsBuilder();
  for (let patient = 0; patient < patientCount(synthetic); patient++) {
    const isPlanted = patient % planted.every === 0 && patient / planted.every < training.length;
    const [from, of] = isPlanted ? [real, training[patient / planted.every] as number] : [synthetic, patient];
    const [first, end] = visitRange(from, of);
    const visits: number[][] = [];
    for (let visit = first; visit < end; visit++) {
      const codes = [...codesOfVisit(from, visit)];
      const uniforms = new Float64Array(codes.length);
      source.fill(uniforms, 0, codes.length, patient, visit - first);
      visits.push(isPlanted ? codes.filter((_, i) => (uniforms[i] as number) >= planted.dropped) : codes);
    }
    builder.addPatient(visits, labelsOfPatient(from, of));
  }
  return builder.build();
};

/**
 * Plants copies in the cohort of the last generator of a run, evaluates its privacy and shows the verdict.
 * Throws RunFailed where the checks let it pass.
 */
export const plantCopies = async ({ nodes }: RunSnapshot, folder: string, io: CommandIo) => {
  const store = createFileStore(join(folder, 'store'));
  const refOf = (stage: string) => nodes.findLast((node) => node.stage === stage)?.result?.ref;
  const [realRef, madeRef] = [refOf('tokenize'), refOf('generate')];
  if (!realRef || !madeRef)
    throw new FailedOutcome('RunFailed', 'the run has no cohort to plant copies in', {});
  const realArtifact = await store.open(realRef);
  const real = await readTokenCohort(realArtifact);
  const synthetic = await readTokenCohort(await store.open(madeRef));
  const cohort = join(folder, 'planted-copies');
  await mkdir(cohort, { recursive: true });
  const columns = withPlantedCopies(synthetic, real, 0);
  const name = `${synthetic.generator ?? 'generator'} with planted copies`;
  await writeTokenCohort(
    { write: (file, content) => writeFile(join(cohort, file), content) },
    { ...columns, vocabulary: real.vocabulary, generator: name },
  );
  io.out(
    `\nA cohort that must fail: every ${planted.every}th patient of ${synthetic.generator} replaced by a training patient, ${100 * planted.dropped} % of the codes dropped.`,
  );
  const out = join(folder, 'planted');
  const given = evaluateCommand.options.parse({
    ...{ train: dirname(await realArtifact.path('tokens.arrow')), synthetic: cohort, out },
    ...{ metrics, baseline: 'none', force: true, suppressBelow: 0 },
  });
  const { verdict, failed } = await evaluateTo(given, { ...io, out: () => undefined });
  io.out(`  report   ${shownPath(join(out, 'report.html'))}\n  verdict  ${verdict}`);
  if (failed.length === 0)
    throw new FailedOutcome('RunFailed', 'the planted copies passed every privacy check', { verdict });
  return { report: join(out, 'report.html'), verdict, failed };
};
