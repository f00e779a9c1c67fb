import { listed, percent } from '../../kernel/number-format.ts';
import { lengthBars } from '../charts/bars.ts';
import { html, type Markup } from '../markup.ts';
import type { LengthPlot } from '../plot-data.ts';
import type { ReportData } from '../report-data.ts';
import { generatorName, generatorNamed, type Section } from './section.ts';

const axisTop = (plot: LengthPlot): number => {
  const shares = plot.panels.flatMap(({ bins }) => bins.flatMap(({ real, synthetic }) => [real, synthetic]));
  const most = Math.max(0.04, ...shares);
  const step = most > 0.4 ? 0.2 : most > 0.2 ? 0.08 : 0.04;
  return Math.min(1, Math.ceil(most / step) * step);
};

const meanOf = (data: ReportData, metric: string, generator: string): string => {
  const row = data.metrics.find((m) => m.metric === metric)?.rows.find(({ row }) => row === 'mean');
  const value = row?.values.find((v) => v.generator === generator)?.value ?? null;
  return value === null || row?.real == null ? '' : `mean ${value.toFixed(2)}, real ${row.real.toFixed(2)}`;
};

const panels = (data: ReportData, plot: LengthPlot): Markup => {
  const top = axisTop(plot);
  const unit = plot.metric === 'visits-per-record' ? 'visits' : 'codes';
  return html`<div class="panels">${plot.panels.map(({ generator, bins }, i) => {
    const caption = {
      id: `${plot.metric}-${i}`,
      title: `${plot.title}, ${generator}`,
      description: listed(
        bins.map(
          ({ label, real, synthetic }) => `${label}: real ${percent(real)}, synthetic ${percent(synthetic)}`,
        ),
      ),
    };
    const color = generatorNamed(data, generator)?.color ?? 'currentColor';
    return html`<figure><figcaption>${generatorName(data, generator)}<span class="value">${meanOf(data, plot.metric, generator)}</span></figcaption>${
      bins.length === 0
        ? html`<p class="empty">Nothing to show.</p>`
        : lengthBars(bins, color, top, unit, caption)
    }</figure>`;
  })}</div>`;
};

/** Visits per patient, codes per visit: pale bars are real, colored ones synthetic. */
export const lengths = (data: ReportData): Section => ({
  id: 'lengths',
  title: 'Lengths',
  short: 'Lengths',
  body: html`<ul class="legend" aria-label="Colors"><li><i class="swatch" style="background:var(--real-soft)"></i>real training patients</li><li><i class="swatch split"></i>synthetic patients, in the generator's color</li></ul>${data.lengths.map(
    (plot) => html`<h3>${plot.title}</h3><p>${plot.about}</p>${panels(data, plot)}`,
  )}<p class="note">${data.suppressBelow > 1 && `Lengths are grouped until every bar is of at least ${data.suppressBelow} real patients.`}</p>`,
});
