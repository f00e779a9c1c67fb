import test from 'ava';
import { RandomSource } from '../../../../pipelines/kernel/random.ts';
import {
  maximumPValue,
  permutedAttack,
} from '../../../../pipelines/metrics/privacy/engine/permuted-attacks.ts';
import { areaUnder, rank, rocSteps } from '../../../../pipelines/metrics/statistics/roc.ts';

const uniforms = (count: number, seed: number): Float64Array => {
  const out = new Float64Array(count);
  new RandomSource(seed, 'patients').fill(out, 0, count, 0);
  return out;
};

test('evidence as found: standard deviations of the AUC, and the probability of so many members first', (t) => {
  const scores = { members: Float64Array.of(9, 8, 7, 1, 3), nonMembers: Float64Array.of(6, 5, 4, 3, 2) };
  const { auc, fewFalsePositives } = permutedAttack(scores, 1);
  const area = areaUnder(rocSteps(rank(scores)));
  t.is(auc[0], Number(((area - 0.5) / Math.sqrt(11 / (12 * 25))).toFixed(4)));
  // Three members before the first non-member: 5/10 × 4/9 × 3/8.
  t.is(fewFalsePositives[0], Number((-Math.log10(1 / 12)).toFixed(4)));
  t.is(auc.length, 2000);
  t.is(fewFalsePositives.length, 2000);
});

test('permutations: as many members each time, the same for all attacks of a seed, and as the theory has it', (t) => {
  const members = uniforms(60, 1);
  const scores = { members, nonMembers: uniforms(40, 2) };
  const { auc, fewFalsePositives } = permutedAttack(scores, 3);
  const mean = auc.slice(1).reduce((sum, z) => sum + z, 0) / 1999;
  const variance = auc.slice(1).reduce((sum, z) => sum + (z - mean) ** 2, 0) / 1999;
  t.true(Math.abs(mean) < 0.1, `${mean}`);
  t.true(Math.abs(variance - 1) < 0.12, `${variance}`);
  // Opposite scores mirror every AUC: the permutations are the same.
  const mirrored = permutedAttack(
    { members: members.map((s) => -s), nonMembers: scores.nonMembers.map((s) => -s) },
    3,
  );
  t.deepEqual(
    mirrored.auc,
    auc.map((z) => -z || 0),
  );
  t.notDeepEqual(permutedAttack(scores, 4).auc, auc);
  // A surprise of 2 (1 %) is rarer than 1 in 100 at any one rate, and there are four.
  const rare = fewFalsePositives.slice(1).filter((surprise) => surprise >= 2).length / 1999;
  t.true(rare <= 0.04, `${rare}`);
});

test('the p-value is that of the maximum, what was found counted among the permutations', (t) => {
  t.is(maximumPValue([]), undefined);
  t.is(maximumPValue([[3, 1, 2, 0]]), 1 / 4);
  t.is(
    maximumPValue([
      [3, 1, 2, 0],
      [0, 9, 0, 0],
    ]),
    2 / 4,
    'the other attack exceeds it once',
  );
  t.is(maximumPValue([[1, 1, 1, 1]]), 1);
});

test('without a leak p-values are uniform, with one they are as small as they can be', (t) => {
  const pValues = Array.from({ length: 60 }, (_, run) => {
    // Two attacks on the same patients, one the other with noise.
    const [a, noise] = [uniforms(60, 100 + run), uniforms(60, 900 + run)];
    const both = [a, a.map((value, i) => value + (noise[i] as number))];
    const attacks = both.map((scores) =>
      permutedAttack({ members: scores.slice(0, 30), nonMembers: scores.slice(30) }, run),
    );
    return [
      maximumPValue(attacks.map(({ auc }) => auc)) ?? Number.NaN,
      maximumPValue(attacks.map(({ fewFalsePositives }) => fewFalsePositives)) ?? Number.NaN,
    ] as const;
  });
  for (const which of [0, 1] as const) {
    const small = pValues.filter((pair) => pair[which] <= 0.1).length;
    t.true(small <= 12, `${small} of 60 at most 0.1`);
    const middle = pValues.reduce((sum, pair) => sum + pair[which], 0) / 60;
    t.true(middle > 0.4 && middle < 0.65, `${middle}`);
  }
  // 14 of 18 members are found before any of 18 others, as HALO's are on the demo.
  const members = Float64Array.from({ length: 18 }, (_, i) => (i < 14 ? 2 : 0));
  const nonMembers = uniforms(18, 5);
  t.is(maximumPValue([permutedAttack({ members, nonMembers }, 0).fewFalsePositives]), 1 / 2000);
});
