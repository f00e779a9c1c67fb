/**
 * Time of HALO's 25 label classifiers at the paper's sizes (2,500 / 250 / 500) on invented patients with MIMIC-like
 * sparsity, by how many are trained side by side. Trains two epochs of ten labels and extrapolates.
 * `node bench/utility.ts [groupSize ...]`
 */
import { startBackend } from '../infra/backend.ts';
import { balancedSet } from '../pipelines/utility/examples.ts';
import {
  type ClassifierTask,
  classifierDefaults,
  trainClassifiers,
} from '../pipelines/utility/train-classifiers.ts';
import { simulatedCohort } from './simulated-cohort.ts';

const labels = 10;
const epochs = 2;
const sources = 3;

await startBackend();
const [real, validation, test] = [33_494, 4_652, 9_304].map((patients, seed) =>
  simulatedCohort(patients, seed),
);
if (!real || !validation || !test) throw new Error('no cohorts');
const tasks = Array.from({ length: labels }, (_, label): ClassifierTask => {
  const set = (cohort: typeof real, size: number, role: 'train' | 'validation' | 'test') =>
    balancedSet({ cohort, label, size, seed: 0, role });
  return {
    id: label,
    train: set(real, 2500, 'train'),
    validation: set(validation, 250, 'validation'),
    score: set(test, 500, 'test'),
  };
});
const groupSizes = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1, 2, 5, 10];
for (const groupSize of groupSizes) {
  const options = {
    ...classifierDefaults,
    seed: 0,
    tokens: 6841,
    groupSize,
    epochs,
    leastUpdates: 0,
    patience: epochs,
  };
  const start = performance.now();
  const training = trainClassifiers(tasks, options);
  while (!(await training.next()).done);
  const seconds = (performance.now() - start) / 1000;
  const whole = (seconds / labels / epochs) * 25 * classifierDefaults.epochs;
  process.stdout.write(
    `${groupSize} side by side: ${seconds.toFixed(1)} s for ${labels} labels × ${epochs} epochs; ` +
      `25 labels × ${classifierDefaults.epochs} epochs: ${whole.toFixed(0)} s a source, ` +
      `${((whole * (sources + 1)) / 60).toFixed(1)} min for real, synthetic and augmented (twice as large)\n`,
  );
}
