import test from 'ava';
import { RandomSource } from '../../../pipelines/kernel/random.ts';
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

/** The check of the first row of the first table. */
const checkOf = (tables: readonly MetricTable[]) =>
  checksOf(tables, generators).checks.find(
    ({ metric, row }) => metric === tables[0]?.metric && row === tables[0]?.rows[0]?.row,
  );
const judged = (family: MetricTable['family'], metric: string, row: string, cell: Partial<Cell>) =>
  checkOf([tableOf(family, metric, row, [cell])])?.verdicts[0];
const attack = (cell: Partial<Cell>) => judged('privacy', 'strongest-attack', 'auc', cell);

test('an attack fails by its p-value, and passes by that and the end of its interval', (t) => {
  t.like(attack({ value: 0.56, interval: [0.5, 0.59], pValue: 0.0005 }), {
    outcome: 'failed',
    why: 'p = 0.00050',
  });
  t.is(attack({ value: 0.52, interval: [0.48, 0.56], pValue: 0.3 })?.outcome, 'passed');
  t.is(attack({ value: 0.4, interval: [0.35, 0.45], pValue: 1 })?.outcome, 'passed');
  const wide = attack({ value: 0.55, interval: [0.4, 0.7], pValue: 0.3 });
  t.like(wide, { outcome: 'unknown', why: 'the interval is too wide (p = 0.30)' });
  t.true(Math.abs((wide?.timesPatients ?? 0) - 9) < 1e-9, 'its upper half must shrink to a third');
  const old = attack({ value: 0.9, interval: [0.8, 0.95] });
  t.like(old, { outcome: 'unknown', why: 'without a permutation test, chance cannot be excluded' });
});

test('a p-value that is small by itself, not over all checks, settles nothing yet', (t) => {
  const cell = { value: 0.56, interval: [0.5, 0.59] as [number, number], pValue: 0.03 };
  const tables = [
    tableOf('privacy', 'strongest-attack', 'auc', [cell]),
    tableOf('privacy', 'identity-disclosure', 'risk', [{ value: 0.1, interval: [0.01, 0.2] }]),
  ];
  t.is(attack(cell)?.outcome, 'failed', 'as the only check');
  const check = checkOf(tables);
  t.regex(check?.rule ?? '', /Failed if p is at most 0\.025 \(0\.05 over 2 checks\)/);
  t.is(check?.verdicts[0]?.outcome, 'unknown');
  t.regex(check?.verdicts[0]?.why ?? '', /by itself \(p = 0\.030\), not when 2 checks/);
  t.true((check?.verdicts[0]?.timesPatients ?? 0) > 1 && (check?.verdicts[0]?.timesPatients ?? 9) < 2);
});

test('what has no interval, or one without width, settles nothing, however good or bad it looks', (t) => {
  t.is(attack({ value: 0.55, interval: [0.3, 0.8], pValue: 0.4 })?.outcome, 'unknown');
  t.like(attack({ value: null, note: 'No one to attack.' }), {
    outcome: 'unknown',
    why: 'No one to attack.',
  });
  for (const value of [0.5, 0.7]) {
    t.like(attack({ value }), { outcome: 'unknown', why: 'without an interval, chance cannot be excluded' });
    t.is(attack({ value, interval: [value, value] })?.outcome, 'unknown', `${value}`);
  }
});

test('where the holdout are no strangers, checks that need some are inconclusive, for that generator alone', (t) => {
  const known = [
    { name: 'halo', isBaseline: false, withoutStrangers: 'they are the same people' },
    { name: 'marginal', isBaseline: true },
  ];
  const cells = [
    { value: 0.9, interval: [0.8, 0.95] as [number, number], pValue: 0.001 },
    { value: 0.9, interval: [0.8, 0.95] as [number, number], pValue: 0.001 },
  ];
  const outcomes = (...row: [MetricTable['family'], string, string]) =>
    checksOf([tableOf(...row, cells)], known).checks[0]?.verdicts.map(({ outcome }) => outcome);
  t.deepEqual(outcomes('privacy', 'strongest-attack', 'auc'), ['unknown', 'failed']);
  t.deepEqual(outcomes('privacy', 'identity-disclosure', 'risk'), ['failed', 'failed']);
  const [check] = checksOf([tableOf('privacy', 'strongest-attack', 'auc', cells)], known).checks;
  t.like(check?.verdicts[0], { why: 'they are the same people', value: 0.9 });
});

test('a share without a width gets the exact interval of its patients', (t) => {
  const rate = (value: number, n: number) =>
    judged('privacy', 'strongest-attack', 'tpr-at-1-percent', {
      ...{ value, n, interval: [value, value] },
      pValue: value > 0 ? 0.0005 : 1,
    });
  t.like(rate(0, 1000), { outcome: 'passed' });
  t.true((rate(0, 1000)?.interval?.[1] ?? 0) > 0.003);
  t.like(rate(0, 40), { outcome: 'unknown', why: 'the interval is too wide (p = 1.0)' });
  t.is(rate(0.2, 1000)?.outcome, 'failed');
});

test('a rate that too few non-members can show never passes; a leak that they show is one', (t) => {
  const note = '18 non-members cannot resolve 1 % false positives: measured at no false positive at all.';
  const check = checkOf([
    tableOf('privacy', 'strongest-attack', 'tpr-at-1-percent', [
      { value: 0.01, interval: [0, 0.02], unresolved: true, note, pValue: 0.5 },
      { value: 0.3, interval: [0.2, 0.4], unresolved: true, note, pValue: 0.0005 },
    ]),
  ]);
  t.deepEqual(
    check?.verdicts.map(({ outcome, why }) => [outcome, why]),
    [
      ['unknown', `${note} A pass needs 100 non-members or more`],
      ['failed', 'p = 0.00050'],
    ],
  );
});

test('identity risk is held against 0.09', (t) => {
  const risk = (cell: Partial<Cell>) => judged('privacy', 'identity-disclosure', 'risk', cell)?.outcome;
  t.is(risk({ value: 0.05, interval: [0.04, 0.06] }), 'passed');
  t.is(risk({ value: 0.08, interval: [0.06, 0.1] }), 'unknown');
  t.is(risk({ value: 0.2, interval: [0.1, 0.3] }), 'failed');
  t.is(risk({ value: 0.0899 }), 'unknown');
});

test('attribute inference by imputation has a rule: a certain excess fails', (t) => {
  const excess = (cell: Partial<Cell>) => judged('privacy', 'attribute-imputation', 'excess', cell)?.outcome;
  t.is(excess({ value: 0.059, interval: [0.01, 0.117] }), 'failed');
  t.is(excess({ value: 0, interval: [-0.02, 0.02] }), 'passed');
  t.is(excess({ value: 0.02, interval: [-0.01, 0.08] }), 'unknown');
});

test('rules of metrics that no scorecard holds make no check', (t) => {
  t.deepEqual(checksOf([], generators), { checks: [], atOnce: 1 });
  const { checks } = checksOf([tableOf('privacy', 'copies', 'near-excess', [{ value: 0 }])], generators);
  t.true(checks.every(({ metric }) => metric === 'copies'));
});

test('a check whose row suppression removes is listed as inconclusive', (t) => {
  const { checks } = checksOf([tableOf('privacy', 'copies', 'near-excess', [{ value: 0 }])], generators);
  const exact = checks.find(({ row }) => row === 'exact-excess');
  t.deepEqual(
    exact?.verdicts.map(({ generator, outcome, value }) => [generator, outcome, value]),
    [
      ['halo', 'unknown', null],
      ['marginal', 'unknown', null],
    ],
  );
  t.regex(exact?.verdicts[0]?.why ?? '', /suppressed, or not computed/);
});

type Values = Record<string, Partial<Cell>>;
/** Rows of one metric for the first generator. */
const rowsOf = (metric: string, rows: Values): MetricTable => {
  const tables = Object.entries(rows).map(([row, cell]) => tableOf('utility', metric, row, [cell]));
  return { ...(tables[0] as MetricTable), rows: tables.flatMap((table) => table.rows) };
};
/** Real patients who teach something: recall 0.5 where the most frequent codes reach 0.3. */
const taught: Values = {
  'commonest-recall-at-20': { value: 0.3, interval: [0.28, 0.32], n: 1982 },
  '90-real-0-synthetic-recall-at-20': { value: 0.31, interval: [0.2, 0.4], n: 1982 },
  '300-real-0-synthetic-recall-at-20': { value: 0.5, interval: [0.48, 0.52], n: 1982 },
};
const gapOf = (cell: Partial<Cell>, real: Values = taught) =>
  checksOf([rowsOf('next-visit', { ...real, 'gap-recall-at-20': cell })], generators).checks.find(
    ({ row }) => row === 'gap-recall-at-20',
  );

test('utility has a margin: a certain loss within it passes, a loss beyond it fails, few cases settle nothing', (t) => {
  const small = gapOf({ value: -0.0032, interval: [-0.0051, -0.0009], n: 1982 });
  t.like(small?.verdicts[0], { outcome: 'passed', why: 'detectable, within the margin' });
  const none = gapOf({ value: 0.01, interval: [-0.02, 0.04], n: 1982 })?.verdicts[0];
  t.like(none, { outcome: 'passed', why: undefined });
  t.is(gapOf({ value: -0.04, interval: [-0.06, -0.02], n: 1982 })?.verdicts[0]?.outcome, 'unknown');
  t.is(gapOf({ value: -0.08, interval: [-0.1, -0.06], n: 1982 })?.verdicts[0]?.outcome, 'failed');
  const few = gapOf({ value: -0.002, interval: [-0.037, 0.026], n: 5 });
  t.like(few?.verdicts[0], {
    outcome: 'unknown',
    why: 'measured on 5 predicted visits; a verdict needs 30',
    timesPatients: 6,
  });
  t.is(
    small?.rule,
    'Passed if the whole interval lies above −0.050, failed if the whole interval lies below, inconclusive otherwise. ' +
      '0.000 is as good as trained on real patients. Inconclusive on fewer than 30 predicted visits. ' +
      'Inconclusive unless real patients certainly beat always predicting the most frequent codes.',
  );
});

test('as good as real means nothing where real patients do not beat a trivial predictor', (t) => {
  const good = { value: 0, interval: [-0.01, 0.01] as [number, number], n: 1982 };
  t.is(gapOf(good)?.verdicts[0]?.outcome, 'passed', 'the predictor of most real patients counts');
  const weak = {
    ...taught,
    '300-real-0-synthetic-recall-at-20': { value: 0.31, interval: [0.28, 0.34] as [number, number] },
  };
  const open = gapOf(good, weak)?.verdicts[0];
  t.is(open?.outcome, 'unknown');
  t.regex(open?.why ?? '', /real patients do not certainly beat .* \(0\.310 against 0\.300\)/);
  t.is(gapOf(good, {})?.verdicts[0]?.outcome, 'unknown', 'no real predictor');
  const labels = (real: Partial<Cell>) =>
    checksOf(
      [
        rowsOf('phenotyping', {
          'gap-synthetic-auc': { ...good, n: 3 },
          'real-auc': real,
          'Gout: synthetic-auc': { value: 0.8, n: 60 },
        }),
      ],
      generators,
    ).checks.find(({ row }) => row === 'gap-synthetic-auc')?.verdicts[0]?.outcome;
  t.is(labels({ value: 0.8, interval: [0.7, 0.9] }), 'passed', 'n counts labels; the label has 60 patients');
  t.is(labels({ value: 0.55, interval: [0.45, 0.65] }), 'unknown');
});

test('an inconclusive check says how many times as many patients would settle it', (t) => {
  // 0.1 wide upward, and 0.05 of room to 0.6: four times as many patients halve it.
  const room = attack({ value: 0.48, interval: [0.4, 0.72], pValue: 0.7 });
  t.like(room, { outcome: 'unknown', timesPatients: 4 });
  // Above the limit it would come to fail: 0.1 down to 0 from 0.05, half that needs four times as many.
  const loss = judged('privacy', 'nearest-neighbor-accuracy', 'loss', {
    value: 0.05,
    interval: [-0.05, 0.22],
  });
  t.true(Math.abs((loss?.timesPatients ?? 0) - 4) < 1e-9);
  t.is(attack({ value: 0.5, interval: [0.5, 0.5] })?.timesPatients, null);
  const atTheEdge = judged('privacy', 'identity-disclosure', 'risk', { value: 0.09, interval: [0.05, 0.12] });
  t.like(atTheEdge, { outcome: 'unknown', timesPatients: null });
});

const privacyOf = (own: Partial<Cell>, other: Partial<Cell>[]): MetricTable[] => [
  tableOf('privacy', 'nearest-neighbor-accuracy', 'loss', [own]),
  ...other.map((cell, i) => {
    const [metric, row] = i === 0 ? ['attribute-inference', 'risk'] : ['attribute-imputation', 'excess'];
    return tableOf('privacy', metric as string, row as string, [cell]);
  }),
];

test('where several checks are made at once, a failure needs an interval widened for them', (t) => {
  const barely: Partial<Cell> = { value: 0.051, interval: [0.001, 0.1] };
  const clean: Partial<Cell> = { value: 0, interval: [-0.02, 0.02] };
  const alone = checksOf(privacyOf(barely, []), generators);
  t.like([alone.atOnce, alone.checks[0]?.verdicts[0]?.outcome], [1, 'failed']);
  const three = checksOf(privacyOf(barely, [clean, clean]), generators);
  t.is(three.atOnce, 3);
  t.like(three.checks[0]?.verdicts[0], {
    outcome: 'unknown',
    why: 'beyond the limit by itself, not when 3 checks are made at once',
  });
  t.regex(
    three.checks[0]?.rule ?? '',
    /Failed if the whole interval, widened for 3 checks, lies above 0[.0]* /,
  );
  const certain = checksOf(privacyOf({ value: 0.1, interval: [0.05, 0.15] }, [clean, clean]), generators);
  t.is(certain.checks[0]?.verdicts[0]?.outcome, 'failed');
  t.is(
    three.checks.find(({ row }) => row === 'excess')?.verdicts[0]?.outcome,
    'passed',
    'a pass is judged by the plain interval',
  );
  t.is(
    checksOf(privacyOf(barely, [clean, { value: 0 }]), generators).atOnce,
    2,
    'what no interval can fail is not counted',
  );
});

test('of clean generators, at most one in twenty fails any of its checks', (t) => {
  // Six independent normal estimates of no effect, with known spread, as the numbers of six rules.
  const source = new RandomSource(5, 'patients');
  const units = new Float64Array(12);
  let [failed, uncorrected] = [0, 0];
  const runs = 4000;
  const rows = [
    ['strongest-attack', 'auc', 0.5],
    ['copies', 'exact-excess', 0],
    ['copies', 'near-excess', 0],
    ['nearest-neighbor-accuracy', 'loss', 0],
    ['attribute-inference', 'risk', 0],
    ['attribute-imputation', 'excess', 0],
  ] as const;
  for (let run = 0; run < runs; run++) {
    source.fill(units, 0, 12, run, 0);
    const tables = rows.map(([metric, row, middle], i) => {
      const normal =
        Math.sqrt(-2 * Math.log(1 - (units[2 * i] as number))) *
        Math.cos(2 * Math.PI * (units[2 * i + 1] as number));
      const value = middle + 0.02 * normal;
      const interval: [number, number] = [value - 0.0392, value + 0.0392];
      if (interval[0] > middle) uncorrected++;
      // Without a leak a p-value is uniform.
      const pValue = units[2 * i];
      return tableOf('privacy', metric, row, [{ value, interval, pValue }]);
    });
    const copies = tables.filter(({ metric }) => metric === 'copies');
    const merged = [
      ...tables.filter(({ metric }) => metric !== 'copies'),
      { ...(copies[0] as MetricTable), rows: copies.flatMap((table) => table.rows) },
    ];
    const { checks, atOnce } = checksOf(merged, [{ name: 'halo', isBaseline: false }]);
    if (atOnce !== 6) t.fail(`${atOnce}`);
    if (checks.some(({ verdicts }) => verdicts[0]?.outcome === 'failed')) failed++;
  }
  t.true(uncorrected / runs > 0.1, `uncorrected ${uncorrected / runs}`);
  t.true(failed / runs < 0.04, `corrected ${failed / runs}`);
  t.true(failed / runs > 0.01, 'and not so cautious that nothing could fail');
});

test('models are compared with the baseline by the spread of both, the baseline is not', (t) => {
  const pairs = (own: Partial<Cell>, baseline: Partial<Cell>) =>
    checkOf([tableOf('similarity', 'code-pairs', 'record-r2', [own, baseline])]);
  const better = pairs({ value: 0.8, interval: [0.7, 0.9] }, { value: 0.6, interval: [0.55, 0.65] });
  t.deepEqual(
    better?.verdicts.map(({ generator, outcome }) => [generator, outcome]),
    [['halo', 'passed']],
  );
  t.true(Math.abs((better?.verdicts[0]?.value ?? 0) - 0.2) < 1e-12);
  t.regex(better?.rule ?? '', /difference from the baseline/);
  // Wholly above the baseline's value, and not above its interval.
  t.is(
    pairs({ value: 0.7, interval: [0.62, 0.78] }, { value: 0.6, interval: [0.4, 0.8] })?.verdicts[0]?.outcome,
    'unknown',
  );
  t.is(
    pairs({ value: 0.3, interval: [0.25, 0.35] }, { value: 0.6, interval: [0.5, 0.7] })?.verdicts[0]?.outcome,
    'failed',
  );
  const open = pairs({ value: 0.8, interval: [0.7, 0.9] }, { value: 0.6 })?.verdicts[0];
  t.like(open, { outcome: 'unknown', why: 'the baseline has no interval, so its own spread is not known' });
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
