import { counted, decimal, percent } from '../../kernel/number-format.ts';
import { cellOfGenerator, isReference, type MetricTable, tableRow } from '../../verdicts/metric-tables.ts';
import type { RocCurve } from '../attack-plots.ts';
import { domainOf, type IntervalBar, intervalBars } from '../charts/interval-bars.ts';
import { type RocLine, rocChart, smallestRate } from '../charts/roc.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import {
  defined,
  fold,
  generatorName,
  generatorNamed,
  heading,
  numberCell,
  panels,
  scaleSwitch,
  table,
  valueIn,
  withInterval,
} from './section.ts';

/** One attack in one of its variants. */
interface Attack {
  metric: string;
  prefix: string;
  title: string;
}

const colors = ['--dx', '--px', '--rx', '--lab', '--g3', '--g7', '--g8', '--g6'];
const dashes = ['none', '6,3', '2,2', '8,2,2,2', '1,4'];

const attackMetrics = (data: ReportData): MetricTable[] =>
  data.metrics.filter(({ family, metric }) => family === 'privacy' && metric.startsWith('membership-'));

/** Every attack in all its variants, attack by attack. */
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

/** Repeats a published computation where ours differs: in the table of every attack, not in the figures. */
const isPublished = ({ prefix }: Pick<Attack, 'prefix'>): boolean => isReference({ row: prefix });

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
    lines: panel.curves.filter((curve) => !isPublished(curve)).map((curve) => lineOf(data, curve)),
  }));
  const least = smallestRate(drawn.flatMap(({ lines }) => lines));
  const shown = new Map(drawn.flatMap(({ lines }) => lines.map((line) => [line.title, line])));
  const figures = drawn.map(({ generator, curves, lines }, i) => {
    const caption = {
      title: `ROC curves of the membership attacks on ${generator}`,
      description: aucWords(data, generator, curves),
    };
    return html`<figure><figcaption>${generatorName(data, generator)}</figcaption><div class="log">${rocChart(lines, 'log', least, { id: `roc-${i}-log`, ...caption })}</div><div class="linear">${rocChart(lines, 'linear', least, { id: `roc-${i}-linear`, ...caption })}</div></figure>`;
  });
  return html`<h4>ROC curves</h4><p class="about">A curve on the diagonal is guessing. The logarithmic scale shows what matters most: which training patients an attack finds at few false positives. Rates below ${percent(least)} are drawn at the edge.</p><div class="toolbar scaled">${scaleSwitch('roc')}${legend([...shown.values()])}</div>${panels(figures, 'generator')}`;
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
  const strongestNotes =
    strongest?.values.flatMap(({ generator, note }) => (note ? [`${generator}: ${note}`] : [])) ?? [];
  const few = attacks.flatMap(({ metric, prefix }) => {
    const row = prefix === '' ? tableRow(data.metrics, metric, 'tpr-at-0.1-percent') : undefined;
    return row?.values.flatMap(({ note }) => note ?? []) ?? [];
  });
  const notes = [...strongestNotes, ...new Set(few)];
  return html`<h4>How many training patients are found</h4><p class="about">Share of training patients that an attack finds (true positive rate) at a false positive rate of at most 0.1%, 1% or 10%. Guessing has equal rates.</p>${
    strongest &&
    rateTable(data, 'The strongest attack on each generator', [
      { metric: 'strongest-attack', prefix: '', title: 'Strongest' },
    ])
  }${fold(
    `Every attack in every variant: ${attacks.length}${notes.length > 0 ? `, and ${counted(notes.length, 'note')}` : ''}`,
    html`${rateTable(data, 'Every membership attack', attacks)}<ul class="note">${notes.map((note) => html`<li>${note}</li>`)}</ul>`,
  )}`;
};

/** The AUC of every attack on one generator. */
const attackBars = (data: ReportData, generator: string, attacks: readonly Attack[]): IntervalBar[] =>
  attacks.map(({ metric, prefix, title }) => {
    const row = tableRow(data.metrics, metric, `${prefix}auc`);
    const { value = null, interval } = cellOfGenerator(row, generator) ?? {};
    const color = generatorNamed(data, generator)?.color ?? 'currentColor';
    return {
      label: title.replace(/^Membership by (the )?/, ''),
      color,
      value,
      interval,
      reference: row?.holdout,
    };
  });

const attackFigures = (data: ReportData): Markup[] => {
  const attacks = attacksOf(data).filter((attack) => !isPublished(attack));
  const rows = data.generators.map(({ name }) => ({ name, bars: attackBars(data, name, attacks) }));
  const domain = domainOf(
    rows.flatMap(({ bars }) => bars),
    [0.4, 0.6],
  );
  return rows
    .filter(({ bars }) => bars.some(({ value }) => value !== null))
    .map(({ name, bars }, i) => {
      const caption = {
        id: `attacks-${i}`,
        title: `AUC of the membership attacks on ${name}`,
        description: bars
          .map(({ label, value }) => `${label} ${value === null ? 'not defined' : decimal(value)}`)
          .join('; '),
      };
      const strongest = valueIn(data, 'strongest-attack', 'auc', name);
      const scale = {
        domain,
        base: 0.5,
        line: { at: 0.5, label: 'guessing' },
        format: decimal,
        referenceIs: 'real holdout',
        isLabelAbove: true,
      };
      return html`<figure><figcaption>${generatorName(data, name)}<span class="value">${strongest === null ? '' : `strongest AUC ${decimal(strongest)}`}</span></figcaption>${intervalBars(bars, scale, caption)}</figure>`;
    });
};

/** Bars and curves of every membership attack; a note where none was run. */
export const membership = (data: ReportData): Markup =>
  attackMetrics(data).length === 0
    ? html`<p class="note"><strong>Inconclusive:</strong> no membership attack was run, so it is open whether training patients can be identified.</p>`
    : html`<h3>Membership inference: can training patients be identified?</h3><p>A membership attack ranks real patients by how likely they are training patients. AUC is the probability that it ranks a training patient above another real patient: 0.5, the dashed line, is guessing; 1 is certainty. An interval that includes 0.5 means that chance can explain the result. The black tick is the same attack with real holdout patients in place of synthetic ones.</p>${panels(attackFigures(data), 'generator')}${rocs(data)}${rates(data)}`;
