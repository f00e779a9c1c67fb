import { decimal, percent } from '../../kernel/number-format.ts';
import { cellOfGenerator, type MetricTable, tableRow } from '../../verdicts/metric-tables.ts';
import type { RocCurve } from '../attack-plots.ts';
import { domainOf } from '../charts/interval-bars.ts';
import { type RocLine, rocChart, smallestRate } from '../charts/roc.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { barsFigure, barsOf } from './bars-figure.ts';
import { defined, generatorName, heading, numberCell, scaleSwitch, table, withInterval } from './section.ts';

/** One attack in one of its variants. */
interface Attack {
  metric: string;
  prefix: string;
  title: string;
}

const colors = ['--dx', '--px', '--rx', '--lab', '--g3', '--g7', '--g8', '--g6'];
const dashes = ['none', '6,3', '2,2', '8,2,2,2'];

const attackMetrics = (data: ReportData): MetricTable[] =>
  data.metrics.filter(({ family, metric }) => family === 'privacy' && metric.startsWith('membership-'));

/** Ours first, then published variants, attack by attack. */
const attacksOf = (data: ReportData): Attack[] =>
  attackMetrics(data).flatMap(({ metric, title, rows }) =>
    rows
      .filter(({ row }) => /(^|-)auc$/.test(row))
      .map((row) => ({
        metric,
        prefix: row.row.slice(0, -'auc'.length),
        title: `${title}${row.title.match(/, .*$/)?.[0] ?? ''}`,
      })),
  );

/** A color for each metric, dashes for its variants. */
const lineOf = (data: ReportData, { metric, prefix, title, ...rates }: RocCurve): RocLine => {
  const metrics = attackMetrics(data).map((table) => table.metric);
  const variants = attacksOf(data).filter((attack) => attack.metric === metric);
  const [color, variant] = [
    metrics.indexOf(metric),
    variants.findIndex((attack) => attack.prefix === prefix),
  ];
  return {
    title,
    color: `var(${colors[Math.max(0, color) % colors.length]})`,
    dashes: dashes[Math.max(0, variant) % dashes.length] ?? 'none',
    ...rates,
  };
};

/** What each line is, with its color and dashes. */
export const legend = (lines: readonly Pick<RocLine, 'title' | 'color' | 'dashes'>[]): Markup =>
  html`<ul class="legend" aria-label="Attacks">${lines.map(
    ({ title, color, dashes: dash }) =>
      html`<li><svg class="key" viewBox="0 0 28 8" aria-hidden="true"><path d="M0 4H28" style="stroke:${color};stroke-dasharray:${dash}"/></svg>${title}</li>`,
  )}</ul>`;

const aucWords = (data: ReportData, generator: string, curves: readonly RocCurve[]): string =>
  curves
    .map(({ metric, prefix, title }) => {
      const value = cellOfGenerator(tableRow(data.metrics, metric, `${prefix}auc`), generator)?.value ?? null;
      return `${title}: AUC ${value === null ? 'not defined' : decimal(value)}`;
    })
    .join('; ');

const rocs = (data: ReportData): Markup | false => {
  if (data.attacks.length === 0) return false;
  const drawn = data.attacks.map((panel) => ({
    ...panel,
    lines: panel.curves.map((curve) => lineOf(data, curve)),
  }));
  const least = smallestRate(drawn.flatMap(({ lines }) => lines));
  const shown = new Map(drawn.flatMap(({ lines }) => lines.map((line) => [line.title, line])));
  return html`<h4>ROC curves</h4><div class="toolbar scaled">${scaleSwitch('roc')}${legend([...shown.values()])}</div>
<div class="panels">${drawn.map(({ generator, curves, lines }, i) => {
    const caption = {
      title: `ROC curves of the membership attacks on ${generator}`,
      description: aucWords(data, generator, curves),
    };
    const strongest = cellOfGenerator(tableRow(data.metrics, 'strongest-attack', 'auc'), generator)?.value;
    return html`<figure><figcaption>${generatorName(data, generator)}<span class="value">${strongest == null ? '' : `strongest AUC ${decimal(strongest)}`}</span></figcaption><div class="log">${rocChart(lines, 'log', least, { id: `roc-${i}-log`, ...caption })}</div><div class="linear">${rocChart(lines, 'linear', least, { id: `roc-${i}-linear`, ...caption })}</div></figure>`;
  })}</div><p class="note">A curve on the diagonal is guessing. The logarithmic scale shows what matters most: whom an attack finds while it hardly ever accuses wrongly. Rates below ${percent(least)} stand at the edge.</p>`;
};

const rateRows = ['auc', 'tpr-at-0.1-percent', 'tpr-at-1-percent', 'tpr-at-10-percent'] as const;
const rateHeads = ['AUC', 'at 0.1%', 'at 1%', 'at 10%'] as const;

const rateCells = (data: ReportData, metric: string, prefix: string, generator: string): Markup[] =>
  rateRows.map((name, i) => {
    const format = i === 0 ? decimal : percent;
    const { value = null, interval } =
      cellOfGenerator(tableRow(data.metrics, metric, prefix + name), generator) ?? {};
    return numberCell(value, withInterval(value === null ? '–' : format(value), interval, format));
  });

const rateTable = (data: ReportData, label: string, attacks: readonly Attack[]): Markup => {
  const [first] = attacks;
  return table(
    label,
    html`<tr>${heading('Generator')}${attacks.length > 1 && heading('Attack')}${rateHeads.map((text, i) =>
      heading(first ? defined(data, first.metric, first.prefix + rateRows[i], text) : text, '', 'number'),
    )}</tr>`,
    data.generators.flatMap(({ name }) =>
      attacks.map(
        ({ metric, prefix, title }) =>
          html`<tr${prefix !== '' && html` class="published"`}><th scope="row">${generatorName(data, name)}</th>${attacks.length > 1 && html`<td>${title}</td>`}${rateCells(data, metric, prefix, name)}</tr>`,
      ),
    ),
  );
};

const rates = (data: ReportData): Markup => {
  const strongest = tableRow(data.metrics, 'strongest-attack', 'auc');
  const attacks = attacksOf(data);
  const isShort = data.generators.length * attacks.length <= 18;
  const strongestNotes =
    strongest?.values.flatMap(({ generator, note }) => (note ? [`${generator}: ${note}`] : [])) ?? [];
  const few = attacks.flatMap(({ metric, prefix }) => {
    const row = prefix === '' ? tableRow(data.metrics, metric, 'tpr-at-0.1-percent') : undefined;
    return row?.values.flatMap(({ note }) => note ?? []) ?? [];
  });
  const notes = [...strongestNotes, ...new Set(few)];
  return html`<h4>How many training patients are found</h4><p>Share of training patients that an attack finds (true positive rate) at a false positive rate of at most 0.1%, 1% or 10%. Guessing has equal rates.</p>${
    strongest &&
    html`${rateTable(data, 'The strongest attack on each generator', [{ metric: 'strongest-attack', prefix: '', title: 'Strongest' }])}<ul class="note">${notes.map((note) => html`<li>${note}</li>`)}</ul>`
  }<details${isShort && html` open`}><summary>Every attack</summary>${rateTable(data, 'Every membership attack', attacks)}</details>`;
};

/** Bars and curves of every membership attack; a note where none was run. */
export const membership = (data: ReportData): Markup | false => {
  const metrics = attackMetrics(data);
  if (metrics.length === 0)
    return html`<p class="note"><strong>Inconclusive:</strong> no membership attack was run, so it is open whether training patients can be identified.</p>`;
  const bars = metrics.flatMap(({ metric }) => barsOf(data, metric, 'auc') ?? []);
  const domain = domainOf(bars, [0.4, 0.6]);
  return html`<h3>Membership inference: can training patients be identified?</h3><p>A membership attack ranks real patients by how likely they are training patients. AUC is the probability that it ranks a training patient above another real patient: 0.5, the dashed line, is guessing; 1 is certainty. An interval that includes 0.5 means that chance can explain the result. The black tick is the same attack with real holdout patients in place of synthetic ones.</p>
<div class="panels">${metrics.map(({ metric, title }) => barsFigure(data, { metric, row: 'auc', title, base: 0.5, domain, line: { at: 0.5, label: 'guessing' } }))}</div>${rocs(data)}${rates(data)}`;
};
