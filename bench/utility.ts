/**
 * Times of the utility measures at the papers' sizes, on simulated patients with MIMIC-like sparsity; extrapolated
 * times are marked.
 *   node bench/utility.ts [groupSize ...]
 * HALO's label classifiers (2,500 / 250 / 500) by how many are trained side by side, two epochs of ten labels;
 * PromptEHR's next-visit predictor, an epoch of 10,000 patients; the discriminator, 5,000 patients per side.
 *   node bench/utility.ts --whole 10
 * All epochs of so many labels, trained on real, synthetic and both, without early stopping: the sets of a label have
 * the paper's sizes for any larger cohort, and labels are trained separately, so that only their
 * number is extrapolated.
 */
import { startBackend } from '../infra/backend.ts';
import { drainAsync } from '../pipelines/kernel/steps.ts';
import { discriminate, discriminatorDefaults } from '../pipelines/metrics/learners/discriminator.ts';
import { balancedSet, type Role } from '../pipelines/metrics/learners/examples.ts';
import {
  type ClassifierTask,
  classifierDefaults,
  trainClassifiers,
} from '../pipelines/metrics/learners/train-classifiers.ts';
import { nextVisit, promptEhrMixes } from '../pipelines/metrics/utility/engine/next-visit.ts';
import { nextVisitTrainingDefaults } from '../pipelines/metrics/utility/engine/train-next-visit.ts';
import { simulatedCohort } from './simulated-cohort.ts';

const tokens = 6841;
const epochs = 2;

const say = (text: string) => process.stdout.write(`${text}\n`);
/** Wall seconds, and processor seconds of all threads, which other work on the machine disturbs less. */
const timed = async (work: () => Promise<unknown>): Promise<{ wall: number; busy: number; text: string }> => {
  const [start, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  const [wall, busy] = [(performance.now() - start) / 1000, (user + system) / 1e6];
  return { wall, busy, text: `${wall.toFixed(1)} s (${busy.toFixed(1)} processor seconds)` };
};
const minutes = ({ wall, busy }: { wall: number; busy: number }, share: number): string =>
  `${((wall * share) / 60).toFixed(1)} min (${((busy * share) / 60).toFixed(1)} processor minutes)`;

const whole = process.argv[2] === '--whole' ? Number(process.argv[3] ?? 10) : undefined;

await startBackend();
const train = simulatedCohort(33_494, 0);
const validation = simulatedCohort(4_652, 1);
const test = simulatedCohort(9_304, 2);

/** Trains every arrangement of some labels to the last epoch. */
const trainWhole = async (labels: number): Promise<void> => {
  const synthetic = simulatedCohort(33_494, 3);
  const set = (cohort: typeof train, label: number, size: number, role: Role) =>
    balancedSet({ cohort, label, size, seed: 0, role });
  const all = Array.from({ length: labels }, (_, label) => {
    const rest = {
      validation: set(validation, label, 250, 'validation'),
      score: set(test, label, 500, 'test'),
    };
    const [real, made] = [set(train, label, 2500, 'train'), set(synthetic, label, 2500, 'train')];
    return [real, made, [...real, ...made]].map((own, i) => ({ id: 3 * label + i, train: own, ...rest }));
  });
  const settings = { ...classifierDefaults, seed: 0, tokens, patience: classifierDefaults.epochs };
  let [wall, busy] = [0, 0];
  for (const [i, name] of ['real', 'synthetic', 'both'].entries()) {
    const tasks = all.flatMap((arrangements) => arrangements[i] ?? []);
    const time = await timed(() => drainAsync(trainClassifiers(tasks, settings)));
    say(`${name}: ${time.text} for ${labels} labels × ${classifierDefaults.epochs} epochs`);
    wall += time.wall;
    busy += time.busy;
  }
  say(
    `${labels} labels, three sources: ${minutes({ wall, busy }, 1)}; of 25: ${minutes({ wall, busy }, 25 / labels)}`,
  );
  say(`peak memory: ${(process.resourceUsage().maxRSS / 2 ** 20).toFixed(2)} GiB`);
};
if (whole !== undefined) {
  await trainWhole(whole);
  process.exit();
}

const tasks = Array.from({ length: 10 }, (_, label): ClassifierTask => {
  const set = (cohort: typeof train, size: number, role: Role) =>
    balancedSet({ cohort, label, size, seed: 0, role });
  return {
    id: label,
    train: set(train, 2500, 'train'),
    validation: set(validation, 250, 'validation'),
    score: set(test, 500, 'test'),
  };
});
for (const groupSize of process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1, 5, 10]) {
  const settings = {
    ...classifierDefaults,
    seed: 0,
    tokens,
    groupSize,
    epochs,
    leastUpdates: 0,
    patience: epochs,
  };
  const time = await timed(() => drainAsync(trainClassifiers(tasks, settings)));
  const share = (25 / tasks.length) * (classifierDefaults.epochs / epochs);
  say(
    `classifiers, ${groupSize} side by side: ${time.text} for ${tasks.length} labels × ${epochs} epochs; extrapolated ` +
      `to 25 labels × ${classifierDefaults.epochs} epochs: ${minutes(time, share)} a source, ` +
      `${minutes(time, 4 * share)} for real, synthetic and both (twice as large)`,
  );
}

const vocabulary = {
  codes: Array.from({ length: tokens }, (_, i) => ({ modality: 'dx' as const, code: `${i}` })),
  labels: [],
};
const mix = { real: 10_000, synthetic: 0 };
const cohorts = { train, validation, test, synthetic: train };
const predict = (passes: number) => {
  const training = { epochs: passes, leastUpdates: 0, patience: passes };
  return timed(() =>
    drainAsync(nextVisit(cohorts, vocabulary, { seed: 0, replicates: 0, mixes: [mix], training })),
  );
};
const [one, three] = [await predict(1), await predict(3)];
const epoch = { wall: (three.wall - one.wall) / 2, busy: (three.busy - one.busy) / 2 };
const patients = promptEhrMixes(39_581, 50_000).reduce(
  (sum, { real, synthetic }) => sum + real + synthetic,
  0,
);
const share = (patients / mix.real) * nextVisitTrainingDefaults.epochs;
say(
  `next visit: ${epoch.wall.toFixed(1)} s (${epoch.busy.toFixed(1)} processor seconds) an epoch of ${mix.real} patients; ` +
    `extrapolated to the ${patients} patients of all fifteen mixes × ${nextVisitTrainingDefaults.epochs} epochs: ` +
    minutes(epoch, share),
);

const options = { ...discriminatorDefaults, seed: 0, tokens, replicates: 1000 };
const taken = await timed(() => drainAsync(discriminate(train, test, options)));
say(`discriminator, linear: ${taken.text} for 5,000 patients per side, five folds, 1,000 replicates`);
say(`peak memory: ${(process.resourceUsage().maxRSS / 2 ** 20).toFixed(2)} GiB`);
