import { createHash } from 'node:crypto';
import test from 'ava';
import { parseHTML } from 'linkedom';
import { reportPage } from '../../../pipelines/report/page.ts';
import type { ReportInput } from '../../../pipelines/report/report-data.ts';
import { assembleReport } from '../../../pipelines/report/report-data.ts';
import { emptyRun, exampleRun, tinyRun } from './example-run.ts';

const pageOf = (run: ReportInput): string => reportPage(assembleReport(run));
const similarityOnly = exampleRun(1, 11, ['similarity']);
const origin = { copiedCodeFraction: 0.5, copiedByChance: 0.06 };
const withOrigins: ReportInput = {
  ...similarityOnly,
  origins: [
    { generator: 'marginal', origin: { ...origin, seedMode: 'cold' } },
    { generator: 'halo', origin: { ...origin, seedMode: 'warm' } },
  ],
};
const runs: Record<string, ReportInput> = {
  'a baseline and a model': exampleRun(1),
  'eleven generators': exampleRun(10),
  'similarity alone': similarityOnly,
  'privacy alone': exampleRun(2, 11, ['privacy']),
  'utility alone': exampleRun(2, 11, ['utility']),
  'origins stated': withOrigins,
  'nothing came out': emptyRun(),
  'one patient': tinyRun(),
  'no suppression': exampleRun(1, 0),
  'all suppressed': exampleRun(1, 1000),
};
type Parsed = ReturnType<typeof parseHTML>['document'];
const texts = (document: Parsed, selector: string, attribute: string): string[] =>
  [...document.querySelectorAll(selector)].map((element) => element.getAttribute(attribute) ?? '');

for (const [name, run] of Object.entries(runs)) {
  const page = pageOf(run);
  const { document } = parseHTML(page);

  test(`${name}: the page needs nothing but itself`, (t) => {
    t.is(document.querySelectorAll('link, img, iframe, object, embed, script[src], base').length, 0);
    t.notRegex(page, /https?:\/\/|@import|url\(/);
    for (const address of texts(document, '[href]', 'href')) t.regex(address, /^#/);
    const policy = document.querySelector('meta[http-equiv]')?.getAttribute('content') ?? '';
    const script = document.querySelector('script:not([type])')?.textContent ?? '';
    t.true(policy.startsWith("default-src 'none'"));
    t.true(
      policy.includes(createHash('sha256').update(script).digest('base64')),
      'the policy lets our script run',
    );
  });

  test(`${name}: references hold, and nothing is NaN or undefined`, (t) => {
    const ids = texts(document, '[id]', 'id');
    t.is(new Set(ids).size, ids.length, 'ids are unique');
    for (const address of texts(document, 'a[href]', 'href')) t.true(ids.includes(address.slice(1)), address);
    for (const list of texts(document, '[aria-labelledby]', 'aria-labelledby'))
      for (const id of list.split(' ')) t.true(ids.includes(id), id);
    t.notRegex(page.replace(/<script>.*<\/script>/s, ''), /\bNaN\b|\bundefined\b|Infinity|\[object/);
  });

  test(`${name}: screen readers get the same`, (t) => {
    t.is(document.documentElement.getAttribute('lang'), 'en');
    t.is(document.querySelectorAll('h1').length, 1);
    const levels = [...document.querySelectorAll('h1, h2, h3, h4')].map(({ tagName }) => Number(tagName[1]));
    for (const [i, level] of levels.entries())
      t.true(level <= (levels[i - 1] ?? 0) + 1, `headings skip no level: h${levels[i - 1]}, h${level}`);
    const skip = document.querySelector('a[href], button, summary');
    t.is(skip?.getAttribute('href'), '#verdict', 'the Tab key comes to the skip link first');
    for (const fold of document.querySelectorAll('details')) {
      t.false(fold.hasAttribute('open'));
      t.truthy(fold.querySelector('summary')?.textContent?.trim());
    }
    t.is(document.querySelectorAll('.empty').length, 0, 'no empty plots');
    for (const svg of document.querySelectorAll('svg.plot')) {
      t.is(svg.getAttribute('role'), 'img');
      t.truthy(svg.querySelector('title')?.textContent);
      t.truthy(svg.querySelector('desc')?.textContent);
    }
    for (const table of document.querySelectorAll('table')) {
      t.truthy(table.querySelector('caption')?.textContent);
      for (const head of table.querySelectorAll('th'))
        t.regex(head.getAttribute('scope') ?? '', /^(row|col|colgroup)$/);
    }
    const scrolling = '.scroll:not([tabindex="0"]):not(:has(.board))';
    t.is(document.querySelectorAll(scrolling).length, 0, 'tables scroll by keyboard');
  });
}

test('the same run gives the same bytes, whatever was drawn before', (t) => {
  const first = pageOf(exampleRun(2));
  pageOf(exampleRun(1));
  t.is(pageOf(exampleRun(2)), first);
});

test('what was not measured is stated at the top, and again in words', (t) => {
  const { document } = parseHTML(pageOf(similarityOnly));
  t.regex(
    document.querySelector('header .warning')?.textContent ?? '',
    /Utility and privacy have not been measured/,
  );
  t.regex(
    document.querySelector('#checked')?.textContent ?? '',
    /Privacy was not measured\..*copies its training patients/s,
  );
  t.regex(document.querySelector('#checked')?.textContent ?? '', /halo is ahead of the baseline on \d of \d/);
  t.regex(document.querySelector('#licence')?.textContent ?? '', /PhysioNet/);
});

test('a cohort built around real patients fails a check, also where privacy was not measured', (t) => {
  const { document } = parseHTML(pageOf(withOrigins));
  const text = document.querySelector('#checked')?.textContent ?? '';
  t.regex(text, /halo:[^.]*1 failed[^.]*inconclusive\. Failed: seeded by real records\./);
  t.regex(
    text,
    /The run was configured to sample patients from the model alone.*Privacy: inconclusive, not measured\./s,
  );
  t.notRegex(pageOf(similarityOnly), /sample patients from the model alone/);
});

test('the baseline and the holdout are marked, and the best co-occurrence leads', (t) => {
  const { document } = parseHTML(pageOf(exampleRun(2)));
  const rows = [...document.querySelectorAll('.leaderboard')].map((table) =>
    [...table.querySelectorAll('tbody th')].map((name) => name.firstElementChild?.textContent),
  );
  const generators = ['halo', 'marginal', 'promptehr'];
  t.deepEqual(rows, [
    [...generators, 'real holdout'],
    [...generators, 'real training'],
    [...generators, 'real holdout'],
  ]);
  t.regex(
    document.querySelector('.leaderboard tr.baseline')?.textContent ?? '',
    /marginalbaseline, [\d,]+ patients/,
  );
  t.regex(document.querySelector('.leaderboard tr.holdout')?.textContent ?? '', /reference, [\d,]+ patients/);
});

test('text from data cannot become markup', (t) => {
  const page = pageOf({ ...exampleRun(1), title: '<b>"bold" & brave</b>' });
  t.regex(page, /<title>&lt;b&gt;&quot;bold&quot; &amp; brave&lt;\/b&gt;<\/title>/);
  t.notRegex(page, /<img|<b>/);
  t.is(page.match(/<\/script>/g)?.length, 2, 'one for the data, one for the script');
});

test('codes, pairs and labels of too few real patients are named nowhere', (t) => {
  const run = exampleRun(1, 30);
  const data = assembleReport(run);
  const everything = JSON.stringify(data) + reportPage(data);
  const series = run.cards[0]?.series['code-prevalence']?.['codes'];
  const rare = (series?.['patients'] ?? []).flatMap((patients, i) =>
    Number(patients) < 30 ? [run.vocabulary.codes[Number(series?.['first']?.[i])]] : [],
  );
  t.true(rare.length > 10);
  for (const code of rare) t.false(everything.includes(`${code?.code} ${code?.title}`), code?.code);
  t.true(
    everything.includes(`Left out: ${rare.length} codes that fewer than 30 real training patients have.`),
  );
  const label = run.cards[0]?.card.rows.find(({ patients }) => patients !== undefined && patients < 30);
  t.truthy(label);
  t.false(everything.includes(label?.title ?? ''));
  t.true(everything.includes('Left out: 1 label that fewer than 30 real training patients have.'));
});

test('scorecards of several families make one row of the leaderboard', (t) => {
  const data = assembleReport(exampleRun(1));
  t.deepEqual(
    data.generators.map(({ name }) => name),
    ['halo', 'marginal'],
  );
  t.deepEqual([...new Set(data.headlines.map(({ family }) => family))], ['similarity', 'utility', 'privacy']);
  t.is(data.headlines.find(({ family }) => family === 'privacy')?.metric, 'strongest-attack');
  const { document } = parseHTML(reportPage(data));
  const captions = [...document.querySelectorAll('.leaderboard caption')];
  t.deepEqual(
    captions.map((caption) => caption.textContent?.split(' ')[0]),
    ['Similarity', 'Utility', 'Privacy'],
  );
  const columns = [...document.querySelectorAll('.leaderboard')].map((table) => {
    const heads = table.querySelectorAll('thead th').length;
    for (const row of table.querySelectorAll('tbody tr')) t.is(row.children.length, heads);
    return heads - 1;
  });
  t.is(
    columns.reduce((sum, count) => sum + count, 0),
    data.headlines.length,
  );
});

test('a family with many numbers shows those of checks, folds the rest, and states what has no value', (t) => {
  const data = assembleReport(exampleRun(1));
  const [first] = data.headlines;
  if (!first) return t.fail();
  const copies = Array.from({ length: 20 }, (_, i) => ({ ...first, row: `copy-${i}`, heading: `Copy ${i}` }));
  const values = first.values.map((value) => ({ ...value, value: null, note: 'Too few patients.' }));
  const absent = { ...first, row: 'absent', heading: 'Absent', values };
  const others = data.headlines.filter(({ family }) => family !== 'similarity');
  const checked = data.headlines.filter(({ metric }) => metric === 'code-pairs');
  const { document } = parseHTML(
    reportPage({ ...data, headlines: [...copies, absent, ...checked, ...others] }),
  );
  const [shown, ...folded] = [...document.querySelectorAll('.leaderboard')].filter((table) =>
    table.querySelector('caption')?.textContent?.startsWith('Similarity'),
  );
  t.is(shown?.querySelectorAll('thead th').length, 9);
  t.is(shown?.closest('details'), null);
  t.true(shown?.textContent?.includes(checked[0]?.heading ?? '?'));
  t.is(folded.length, 2);
  for (const table of folded) t.is(table.closest('details')?.hasAttribute('open'), false);
  const text = document.querySelector('#leaderboard')?.textContent ?? '';
  t.regex(text, /13 further numbers of similarity/);
  t.regex(text, /Could not be computed: Absent \(Too few patients\)\./);
});

test('a copier fails the privacy checks that so few patients can fail, and intervals are beside their numbers', (t) => {
  const data = assembleReport(exampleRun(1));
  const outcomes = data.checks
    .filter(({ family }) => family === 'privacy')
    .map(({ short, verdicts }) => [short, verdicts.find(({ generator }) => generator === 'halo')?.outcome]);
  t.is(outcomes.length, 7);
  // The interval of nearest neighbors is made from halves of the patients, and these are few.
  for (const [short, outcome] of outcomes)
    t.is(outcome, short === 'nearest neighbors' ? 'unknown' : 'failed', short);
  const { document } = parseHTML(reportPage(data));
  const tally = document.querySelector('#checked .tallies li')?.textContent ?? '';
  t.regex(
    tally,
    /halo: .*\d passed, .*6 failed, .*2 inconclusive\. Failed: strongest attack; .*exact copies/s,
  );
  t.regex(document.querySelector('.leaderboard td .interval')?.textContent ?? '', /^0\.\d+ to 0\.\d+$/);
});

test('checks: the worst finding first, with its rule; what every generator passes is one sentence', (t) => {
  const data = assembleReport(exampleRun(2));
  const { document } = parseHTML(reportPage(data));
  const rows = [...document.querySelectorAll('#checked .results')].map((table) => ({
    isFolded: table.closest('details') !== null,
    ranks: [...table.querySelectorAll('tbody tr')].map((row) =>
      row.querySelector('.outcome.failed') ? 0 : row.querySelector('.outcome.unknown') ? 1 : 2,
    ),
    row: table.querySelector('tbody tr'),
  }));
  const [open, passed] = rows;
  t.is(rows.length, 2);
  t.false(open?.isFolded);
  t.true(passed?.isFolded);
  t.deepEqual(open?.ranks, open?.ranks.toSorted());
  t.is(open?.ranks[0], 0);
  t.false(open?.ranks.includes(2));
  t.true(passed?.ranks.every((rank) => rank === 2));
  t.is((open?.ranks.length ?? 0) + (passed?.ranks.length ?? 0), data.checks.length);
  t.regex(open?.row?.textContent ?? '', /privacy.*(Failed if|Judged is)/s, 'privacy first, with the rule');
});

test('the verdict comes first, and the page and report.json state the same', (t) => {
  const data = assembleReport(exampleRun(1));
  const { document } = parseHTML(reportPage(data));
  const first = document.querySelector('main section');
  t.is(first?.id, 'verdict');
  t.is(first?.querySelector('.release')?.textContent, data.verdict.sentence);
  t.regex(data.verdict.sentence, /^Do not release: halo fails 6 privacy checks \(strongest attack, /);
  const reveals = /Small groups are not suppressed/;
  t.notRegex(first?.textContent ?? '', reveals);
  t.regex(parseHTML(pageOf(exampleRun(1, 0))).document.querySelector('#verdict')?.textContent ?? '', reveals);
  const rows = [...document.querySelectorAll('.verdict-card > li')];
  t.is(rows.length, data.generators.length);
  for (const [i, row] of rows.entries()) {
    const own = data.verdict.generators[i];
    t.true(row.querySelector('h3')?.textContent?.startsWith(own?.generator ?? '?'));
    t.deepEqual(
      [...row.querySelectorAll('dd strong')].map((word) => word.textContent),
      [own?.similarity.standing, own?.utility.standing, own?.privacy.standing],
    );
    for (const word of row.querySelectorAll('dd .outcome .hidden'))
      t.regex(word.textContent ?? '', /^(good|poor|inconclusive)$/);
  }
  t.regex(
    document.querySelector('#checked')?.textContent ?? '',
    /Bonferroni.*about [\d.]+ times as many patients/s,
  );
});

test('numbers that could not be computed are counted by metric and reason', (t) => {
  const data = assembleReport(similarityOnly);
  const metrics = data.metrics.map((metric, i) =>
    i > 0
      ? metric
      : {
          ...metric,
          rows: metric.rows.map((row) => ({
            ...row,
            values: row.values.map((value) => ({ ...value, value: null, note: 'Too few.' })),
          })),
        },
  );
  const { document } = parseHTML(reportPage({ ...data, metrics }));
  const values = metrics.flatMap(({ rows }) => rows.flatMap((row) => row.values));
  const own = metrics[0]?.rows.flatMap((row) => row.values).length ?? 0;
  const missing = values.filter(({ value }) => value === null).length;
  t.true(own > 1);
  t.regex(
    document.querySelector('#checked')?.textContent ?? '',
    new RegExp(`Of ${values.length} numbers, ${missing} could not be computed.*: Too few\\. Every reason`),
  );
  const numbers = document.querySelector('#numbers');
  t.regex(
    numbers?.querySelector('summary')?.textContent ?? '',
    new RegExp(`Similarity: .* ${values.length} numbers, of which ${missing} could not be computed`),
  );
  t.true(numbers?.textContent?.includes(`${own} numbers of halo and marginal: Too few.`));
  const heading = document.querySelector(`#metric-${metrics[0]?.metric}`);
  t.is(heading?.nextElementSibling?.tagName, 'P', 'rows without any value are not listed');
});

test('every number leads to a definition', (t) => {
  const { document } = parseHTML(pageOf(exampleRun(2)));
  const rows = [...document.querySelectorAll('#numbers .numbers tbody tr th')];
  t.true(rows.length > 80);
  for (const row of rows) {
    const target = row.querySelector('a')?.getAttribute('href') ?? '';
    t.regex(target, /^#define-/);
    t.is(document.querySelector(target)?.tagName, 'DT', target);
  }
  const headings = [...document.querySelectorAll('.leaderboard thead th a')];
  t.true(headings.every((link) => link.getAttribute('href')?.startsWith('#define-')));
});

test('utility: checks move with the run, labels that are too rare or not measured are stated as such', (t) => {
  const data = assembleReport(exampleRun(2));
  const outcome = (short: string, name: string) =>
    data.checks.find((check) => check.short === short)?.verdicts.find(({ generator }) => generator === name)
      ?.outcome;
  t.is(outcome('next visit, as from real patients', 'halo'), 'passed');
  t.is(outcome('next visit, as from real patients', 'marginal'), 'failed');
  t.is(outcome('next visit, beyond frequent codes', 'marginal'), 'failed');
  t.is(outcome('phenotypes from synthetic patients', 'halo'), 'passed');
  t.is(outcome('phenotypes from synthetic patients', 'promptehr'), 'failed');
  const page = reportPage(data);
  t.false((JSON.stringify(data) + page).includes('Rarest of all'));
  const text = parseHTML(page).document.querySelector('#utility')?.textContent ?? '';
  t.regex(text, /Gout: Only 3 patients have the label/);
  t.regex(text, /Not named: 1 label that fewer than 11 real patients have/);
  t.regex(text, /Not the headline\./);
});
