import test from 'ava';
import { checksOf } from '../../../pipelines/verdicts/checks.ts';
import type { Cell, MetricTable } from '../../../pipelines/verdicts/metric-tables.ts';
import { originCheckName, originChecks } from '../../../pipelines/verdicts/origin-check.ts';

const generators = [
  { name: 'halo', isBaseline: false },
  { name: 'marginal', isBaseline: true },
];

const tableOf = (family: MetricTable['family'], metric: string, row: string, cells: Partial<Cell>[]) => {
  const values = cells.map((cell, i) => ({
    generator: ['halo', 'marginal'][i] ?? '',
    value: null,
    n: 9,
    ...cell,
  }));
  const better = family === 'privacy' ? ('lower' as const) : ('higher' as const);
  const rows = [{ row, title: row, about: '', better, real: null, holdout: null, values }];
  return { metric, family, title: metric, about: '', rows, leftOut: 0 };
};

const outcome = (cell: Partial<Cell>) =>
  checksOf([tableOf('privacy', 'strongest-attack', 'auc', [cell])], generators)[0]?.verdicts[0]?.outcome;

test('an attack fails when its whole interval is above guessing', (t) => {
  t.is(outcome({ value: 0.56, interval: [0.51, 0.61] }), 'failed');
  t.is(outcome({ value: 0.52, interval: [0.48, 0.56] }), 'passed');
  t.is(outcome({ value: 0.4, interval: [0.35, 0.45] }), 'passed');
});

test('an interval that is too wide to tell passes nothing', (t) => {
  t.is(outcome({ value: 0.55, interval: [0.3, 0.8] }), 'unknown');
  t.is(outcome({ value: null, note: 'Nobody.' }), 'unknown');
  t.is(outcome({ value: 0.55 }), 'unknown');
  t.is(outcome({ value: 0.5 }), 'unknown', 'without an interval nothing passes');
  t.is(outcome({ value: 0.7 }), 'failed');
});

test('a rate that too few non-members can show is inconclusive, whatever its interval', (t) => {
  const note = '18 non-members cannot resolve 1 % false positives: measured at no false positive at all.';
  const [check] = checksOf(
    [
      tableOf('privacy', 'strongest-attack', 'tpr-at-1-percent', [
        { value: 0.3, interval: [0.2, 0.4], unresolved: true, note },
        { value: 0.3, interval: [0.2, 0.4] },
      ]),
    ],
    generators,
  );
  t.deepEqual(
    check?.verdicts.map(({ outcome, why }) => [outcome, why]),
    [
      ['unknown', note],
      ['failed', undefined],
    ],
  );
});

test('identity risk is held against 0.09', (t) => {
  const risk = (cell: Partial<Cell>) =>
    checksOf([tableOf('privacy', 'identity-disclosure', 'risk', [cell])], generators)[0]?.verdicts[0]
      ?.outcome;
  t.is(risk({ value: 0.05, interval: [0.04, 0.06] }), 'passed');
  t.is(risk({ value: 0.08, interval: [0.06, 0.1] }), 'unknown');
  t.is(risk({ value: 0.2, interval: [0.1, 0.3] }), 'failed');
  t.is(risk({ value: 0.0899 }), 'unknown');
});

test('utility has a margin: a certain loss within it passes, a loss beyond it fails, few cases settle nothing', (t) => {
  const gap = (cell: Partial<Cell>) =>
    checksOf([tableOf('utility', 'next-visit', 'gap-recall-at-20', [cell])], generators)[0];
  const small = gap({ value: -0.0032, interval: [-0.0051, -0.0009], n: 1982 });
  t.like(small?.verdicts[0], {
    outcome: 'passed',
    why: 'a difference is certain, and it is within the margin',
  });
  t.is(gap({ value: 0.01, interval: [-0.02, 0.04], n: 1982 })?.verdicts[0]?.outcome, 'passed');
  t.is(gap({ value: -0.04, interval: [-0.06, -0.02], n: 1982 })?.verdicts[0]?.outcome, 'unknown');
  t.is(gap({ value: -0.08, interval: [-0.1, -0.06], n: 1982 })?.verdicts[0]?.outcome, 'failed');
  const few = gap({ value: -0.002, interval: [-0.037, 0.026], n: 5 });
  t.like(few?.verdicts[0], { outcome: 'unknown', why: 'measured on 5 test cases; a verdict needs 30' });
  t.is(
    small?.rule,
    'Passed if the whole interval lies above −0.050, failed if it lies below, inconclusive if it spans it. ' +
      '0.000 is as good as trained on real patients. Inconclusive on fewer than 30 test cases.',
  );
});

test('models are compared with the baseline, the baseline is not', (t) => {
  const [check] = checksOf(
    [
      tableOf('similarity', 'code-pairs', 'record-r2', [
        { value: 0.8, interval: [0.7, 0.9] },
        { value: 0.6 },
      ]),
    ],
    generators,
  );
  t.deepEqual(
    check?.verdicts.map(({ generator, outcome }) => [generator, outcome]),
    [['halo', 'passed']],
  );
  t.regex(check?.rule ?? '', /below 0\.600 \(the baseline\)/);
});

test('records built around real ones fail, those drawn from the model alone pass', (t) => {
  const origin = { copiedCodeFraction: 0.5, copiedByChance: 0.06 };
  const [check, ...others] = originChecks([
    { name: 'halo', origin: { ...origin, seedMode: 'warm' } },
    { name: 'marginal', origin: { ...origin, seedMode: 'cold' } },
    { name: 'foreign' },
  ]);
  t.is(others.length, 0);
  t.like(check, { family: 'privacy', ...originCheckName });
  t.deepEqual(
    check?.verdicts.map(({ generator, outcome, value }) => [generator, outcome, value]),
    [
      ['halo', 'failed', 0.5],
      ['marginal', 'passed', 0.5],
      ['foreign', 'unknown', null],
    ],
  );
  t.regex(check?.verdicts[0]?.why ?? '', /by chance 6\.0%; seedMode warm/);
  t.deepEqual(originChecks([{ name: 'foreign' }]), []);
});
