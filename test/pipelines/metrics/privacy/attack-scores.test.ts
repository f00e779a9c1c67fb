import test from 'ava';
import { RandomSource } from '../../../../pipelines/kernel/random.ts';
import { scoreAttack } from '../../../../pipelines/metrics/privacy/engine/attack-scores.ts';
import {
  rank,
  rocSteps,
  truePositiveRateAt,
  truePositiveRateInterval,
} from '../../../../pipelines/metrics/statistics/roc.ts';

const score = (members: number[], nonMembers: number[], replicates = 0) =>
  scoreAttack(
    { members: Float64Array.from(members), nonMembers: Float64Array.from(nonMembers) },
    { seed: 1, replicates },
  );
const rates = (result: ReturnType<typeof score>) => result.truePositiveRates.map(({ value }) => value);

test('a perfect, a reversed and a blind attack', (t) => {
  const perfect = score([5, 6, 7], [1, 2, 3]);
  t.is(perfect.auc.value, 1);
  t.deepEqual(rates(perfect), [1, 1, 1]);
  t.is(perfect.atBest.accuracy.value, 1);
  t.is(perfect.atMedian.f1.value, 1);
  const reversed = score([1, 2, 3], [5, 6, 7]);
  t.is(reversed.auc.value, 0);
  t.is(reversed.atBest.accuracy.value, 0.5);
  const blind = score([4, 4], [4, 4, 4]);
  t.is(blind.auc.value, 0.5);
  t.deepEqual(rates(blind), [0, 0, 0]);
  t.is(blind.atMedian.accuracy.value, 0.6);
  t.is(blind.atMedian.precision.value, null);
  t.regex(blind.atMedian.precision.note ?? '', /no patient as a member/);
});

test('ties count half, by hand', (t) => {
  // 3 beats two and ties one, 2 beats one and ties one, 0 beats nobody: 4 of 9 pairs.
  const found = score([3, 2, 0], [1, 2, 3]);
  t.is(found.auc.value, 4 / 9);
  t.deepEqual(found.curve, {
    falsePositive: [0, 1 / 3, 2 / 3, 1, 1],
    truePositive: [0, 1 / 3, 2 / 3, 2 / 3, 1],
  });
});

test('true positive rate at a false positive rate takes the best allowed threshold', (t) => {
  const nonMembers = Array.from({ length: 30 }, (_, i) => i);
  // Ten members above all, five more above all but three non-members, the rest at the bottom.
  const members = [...Array(10).fill(100), ...Array(5).fill(26.5), ...Array(5).fill(-1)];
  const found = score(members, nonMembers);
  t.deepEqual(rates(found), [0.5, 0.5, 0.75]);
  t.regex(found.truePositiveRates[0]?.note ?? '', /30 non-members cannot resolve 0\.1 %/);
  t.deepEqual(
    found.truePositiveRates.map(({ unresolved }) => unresolved),
    [true, true, undefined],
  );
  t.is(found.truePositiveRates[2]?.note, undefined);
});

test('median rule: above the median is a member, at it is not', (t) => {
  const found = score([5, 3, 3], [4, 3, 1]);
  t.deepEqual(
    [found.atMedian.accuracy.value, found.atMedian.recall.value, found.atMedian.precision.value],
    [3 / 6, 1 / 3, 1 / 2],
  );
});

test('minus infinity is a score; not-a-number and an empty side are sentences', (t) => {
  t.is(score([0, -Infinity], [-Infinity, -Infinity]).auc.value, 0.75);
  t.regex(score([NaN], [1]).auc.note ?? '', /not a number/);
  t.regex(score([], [1]).atBest.f1.note ?? '', /no member to attack/);
  t.regex(score([1], []).truePositiveRates[0]?.note ?? '', /no non-member to attack/);
});

test('a long curve is thinned, keeps its ends, and never leaves the staircase', (t) => {
  const members = Array.from({ length: 3000 }, (_, i) => (i * 7919) % 10007);
  const nonMembers = Array.from({ length: 3000 }, (_, i) => (i * 6007) % 9001);
  const { curve } = score(members, nonMembers);
  t.true(curve.falsePositive.length <= 201 && curve.falsePositive.length > 150);
  t.deepEqual([curve.falsePositive[0], curve.truePositive[0]], [0, 0]);
  t.deepEqual([curve.falsePositive.at(-1), curve.truePositive.at(-1)], [1, 1]);
  t.true(curve.truePositive.every((value, i) => i === 0 || value >= (curve.truePositive[i - 1] ?? 2)));
});

test('intervals repeat, hold the value, and narrow with n', (t) => {
  const scores = (n: number, lift: number) => Array.from({ length: n }, (_, i) => ((i * 37) % n) / n + lift);
  const width = (n: number) => {
    const found = score(scores(n, 0.1), scores(n, 0), 300);
    t.deepEqual(score(scores(n, 0.1), scores(n, 0), 300), found);
    const [low, high] = found.auc.interval ?? [NaN, NaN];
    t.true(low < (found.auc.value ?? NaN) && (found.auc.value ?? NaN) < high);
    return high - low;
  };
  const [few, many] = [width(50), width(800)];
  t.true(few / many > 3 && few / many < 5.5, `${few} / ${many} should be near √16`);
});

test('the interval of a true positive rate holds that of the population at the population’s threshold', (t) => {
  const runs = 400;
  /** Members of whom a fifth score above all, the others as the non-members: 0.2 + 0.8 · 1 %. */
  const covered = (size: number) => {
    let inside = 0;
    let width = 0;
    for (let run = 0; run < runs; run++) {
      const units = new Float64Array(2 * size);
      new RandomSource(run, 'attack').fill(units, 0, 2 * size, 0);
      const leaked = new Float64Array(size);
      new RandomSource(run, 'attack').fill(leaked, 0, size, 1);
      const scores = {
        members: units.slice(0, size).map((score, i) => ((leaked[i] as number) < 0.2 ? 2 + score : score)),
        nonMembers: units.slice(size),
      };
      const steps = rocSteps(rank(scores));
      const [low, high] = truePositiveRateInterval(steps, 0.01, truePositiveRateAt(steps, 0.01));
      if (low <= 0.208 && 0.208 <= high) inside++;
      width += (high - low) / runs;
    }
    return { share: inside / runs, width };
  };
  const few = covered(100);
  t.true(few.share >= 0.95, `100: ${few.share}`);
  const many = covered(1000);
  // Three standard errors about 95 %.
  t.true(many.share >= 0.917 && many.share <= 0.983, `1,000: ${many.share}`);
  t.true(many.width < 0.06);
});

test('what one non-member decides has no certain lower end, and the value lies inside', (t) => {
  const members = Array.from({ length: 100 }, (_, i) => 1000 + i);
  const nonMembers = Array.from({ length: 100 }, (_, i) => i);
  const [, rate] = score(members, nonMembers, 10).truePositiveRates;
  t.is(rate?.value, 1);
  const [low, high] = rate?.interval ?? [Number.NaN, Number.NaN];
  t.is(high, 1);
  t.true(low >= 0 && low < 0.1, `${low}`);
  const many = score(
    Array.from({ length: 1000 }, (_, i) => 9000 + i),
    Array.from({ length: 1000 }, (_, i) => i),
    10,
  ).truePositiveRates[1];
  t.true((many?.interval?.[0] ?? 0) > 0.99);
});
