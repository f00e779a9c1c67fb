import { decimal } from '../../kernel/number-format.ts';
import { cellOfGenerator, type TableRow } from '../../verdicts/metric-tables.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { defined, direction, generatorName, heading, numberCell, table, withInterval } from './section.ts';

/** Generators by rows, each heading leading to its definition. */
export const sideBySide = (
  data: ReportData,
  label: string,
  metric: string,
  rows: readonly (readonly [TableRow, string])[],
): Markup =>
  table(
    label,
    html`<tr>${heading('Generator')}${rows.map(([row, text]) =>
      heading(html`${defined(data, metric, row.row, text)} ${direction(row.better)}`, row.title, 'number'),
    )}</tr>`,
    data.generators.map(
      ({ name }) =>
        html`<tr><th scope="row">${generatorName(data, name)}</th>${rows.map(([row]) => {
          const { value = null, interval } = cellOfGenerator(row, name) ?? {};
          return numberCell(value, withInterval(value === null ? '–' : decimal(value), interval));
        })}</tr>`,
    ),
  );
