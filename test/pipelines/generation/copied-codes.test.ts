import test from 'ava';
import { copiedCodes } from '../../../pipelines/generation/copied-codes.ts';
import { RandomSource } from '../../../pipelines/kernel/random.ts';
import { recordsOf } from '../../helpers/patients.ts';

test('counted by hand: same patient, same visit, same code', (t) => {
  const training = recordsOf([[[0, 1], [2]], [[0]], [[3]], [[0, 4]]]);
  const synthetic = recordsOf([[[1, 5], [2], [2]], [[1]]]);
  // Copied: code 1 and code 2 of the first patient. By chance: 1 has 1 of 4 first visits, 5 none, 2 one of 4 second
  // visits, the third visit nobody, the other patient's 1 again one of 4.
  t.deepEqual(copiedCodes(synthetic, training, 6), { fraction: 2 / 5, byChance: 3 / 4 / 5 });
});

test('patients beyond the training patients are held against them once more', (t) => {
  const training = recordsOf([[[0]], [[1]]]);
  t.deepEqual(copiedCodes(recordsOf([[[0]], [[1]], [[0]], [[0]]]), training, 2), {
    fraction: 3 / 4,
    byChance: 1 / 2,
  });
});

test('nothing against nobody is nothing', (t) => {
  const none = { fraction: 0, byChance: 0 };
  t.deepEqual(copiedCodes(recordsOf([]), recordsOf([[[0]]]), 1), none);
  t.deepEqual(copiedCodes(recordsOf([[[0]]]), recordsOf([]), 1), none);
  t.deepEqual(copiedCodes(recordsOf([[]]), recordsOf([[]]), 1), none);
});

test('a copier stands out, a stranger does not', (t) => {
  const random = new RandomSource(5, 'order');
  const uniforms = new Float64Array(120);
  const cohort = (stream: number) =>
    recordsOf(
      Array.from({ length: 300 }, (_, patient) => {
        random.fill(uniforms, 0, 120, patient, stream);
        return [0, 1, 2].map((visit) =>
          [...Array(40).keys()].filter((code) => (uniforms[visit * 40 + code] as number) < 0.2),
        );
      }),
    );
  const training = cohort(0);
  const stranger = copiedCodes(cohort(1), training, 40);
  t.true(
    Math.abs(stranger.fraction - stranger.byChance) < 0.02,
    `${stranger.fraction}, ${stranger.byChance}`,
  );
  const copier = copiedCodes(training, training, 40);
  t.is(copier.fraction, 1);
  t.true(Math.abs(copier.byChance - 0.2) < 0.02, `${copier.byChance}`);
});
