/**
 * Times of the privacy attacks that train models, on simulated patients with MIMIC-like sparsity: processor seconds an
 * update and a scored patient, at the paper's sizes of the networks, and what follows for 39,581 training and 4,633
 * test patients with the default numbers of epochs. Extrapolated times are marked.
 * `node bench/privacy-models.ts [patients]`, default 10,000; 600 takes seconds.
 */
import { startBackend } from '../infra/backend.ts';
import { drainAsync } from '../pipelines/kernel/steps.ts';
import { beginnings } from '../pipelines/metrics/learners/record-cases.ts';
import {
  attributeImputation,
  imputationTraining,
} from '../pipelines/metrics/privacy/engine/attribute-imputation.ts';
import { hideOneByOne, spreadCodes } from '../pipelines/metrics/privacy/engine/candidate-codes.ts';
import { shadowAttack, shadowTrainingFor } from '../pipelines/metrics/privacy/engine/shadow-attack.ts';
import { simulatedCohort } from './simulated-cohort.ts';

const patients = Number(process.argv[2] ?? 10_000);
const tests = Math.max(20, Math.round(patients * 0.117));
const [paperPatients, paperTests] = [39_581, 4_633];
const tokens = 6841;
const vocabulary = {
  codes: Array.from({ length: tokens }, (_, i) => ({ modality: 'dx' as const, code: `${i}` })),
  labels: [],
};

const say = (text: string) => process.stdout.write(`${text}\n`);
/** Wall seconds, and processor seconds of all threads, which other work on the machine disturbs less. */
const timed = async (work: () => Promise<unknown>): Promise<{ wall: number; busy: number }> => {
  const [start, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { wall: (performance.now() - start) / 1000, busy: (user + system) / 1e6 };
};
const minutes = (seconds: number): string => `${(seconds / 60).toFixed(1)} min`;

await startBackend();
const cohorts = {
  train: simulatedCohort(patients, 0),
  test: simulatedCohort(tests, 1),
  synthetic: simulatedCohort(patients, 2),
};
const scale = paperPatients / patients;
const sizes = shadowTrainingFor(paperPatients);

/** One epoch and two, whose difference is an epoch without all else. */
const epochs = async (attack: (passes: number) => Promise<unknown>) => {
  const [one, two] = [await timed(() => attack(1)), await timed(() => attack(2))];
  const epoch = { wall: two.wall - one.wall, busy: two.busy - one.busy };
  return { epoch, rest: { wall: one.wall - epoch.wall, busy: one.busy - epoch.busy } };
};

const report = (
  name: string,
  { epoch, rest }: Awaited<ReturnType<typeof epochs>>,
  passes: number,
  cases: number,
) => {
  const whole = { wall: passes * epoch.wall * scale, busy: passes * epoch.busy * scale };
  const asked = { wall: rest.wall * (paperTests / tests), busy: rest.busy * (paperTests / tests) };
  say(
    `${name}: ${epoch.wall.toFixed(1)} s (${epoch.busy.toFixed(1)} processor seconds) an epoch of ${cases} cases, ` +
      `${rest.wall.toFixed(1)} s (${rest.busy.toFixed(1)}) for all else; extrapolated to ${paperPatients} and ` +
      `${paperTests} patients and ${passes} epochs: ${minutes(whole.wall + asked.wall)} ` +
      `(${minutes(whole.busy + asked.busy)} of processor time)`,
  );
};

const quiet = { seed: 0, replicates: 0 };
report(
  'membership by shadow model',
  await epochs((passes) => {
    const shadow = { ...sizes, epochs: passes, leastUpdates: 0 };
    return drainAsync(shadowAttack(cohorts, vocabulary, { ...quiet, shadow }));
  }),
  sizes.epochs,
  beginnings(cohorts.synthetic).length,
);

const codes = spreadCodes(cohorts.train, vocabulary, 50, 10);
report(
  'attribute inference by imputation, five models',
  await epochs((passes) => {
    const training = { ...sizes, ...imputationTraining, epochs: passes, leastUpdates: 0 };
    return drainAsync(attributeImputation(cohorts, vocabulary, { ...quiet, codes, training }));
  }),
  imputationTraining.epochs,
  hideOneByOne(cohorts.synthetic, codes).cases.length,
);
say(`peak memory: ${(process.resourceUsage().maxRSS / 2 ** 20).toFixed(2)} GiB`);
