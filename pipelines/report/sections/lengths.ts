import { listed, percent } from '../../kernel/number-format.ts';
import { tableRow } from '../../verdicts/metric-tables.ts';
import { lengthBars } from '../charts/bars.ts';
import { html, type Markup } from '../markup.ts';
import type { LengthPlot } from '../plot-data.ts';
import type { ReportData } from '../report-data.ts';
import { generatorName, generatorNamed, panels, valueIn } from './section.ts';

const axisTop = (plot: LengthPlot): number => {
  const shares = plot.panels.flatMap(({ bins }) => bins.flatMap(({ real, synthetic }) => [real, synthetic]));
  const most = Math.max(0.04, ...shares);
  const step = most > 0.4 ? 0.2 : most > 0.2 ? 0.08 : 0.04;
  return Math.min(1, Math.ceil(most / step) * step);
};

const meanOf = (data: ReportData, metric: string, generator: string): string => {
  const value = valueIn(data, metric, 'mean', generator);
  const real = tableRow(data.metrics, metric, 'mean')?.real;
  return value === null || real == null ? '' : `mean ${value.toFixed(2)}, real ${real.toFixed(2)}`;
};

const figures = (data: ReportData, plot: LengthPlot): Markup[] => {
  const top = axisTop(plot);
  const unit = plot.metric === 'visits-per-record' ? 'visits' : 'codes';
  return plot.panels
    .filter(({ bins }) => bins.length > 0)
    .map(({ generator, bins }, i) => {
      const caption = {
        id: `${plot.metric}-${i}`,
        title: `${plot.title}, ${generator}`,
        description: listed(
          bins.map(
            ({ label, real, synthetic }) =>
              `${label}: real ${percent(real)}, synthetic ${percent(synthetic)}`,
          ),
        ),
      };
      const color = generatorNamed(data, generator)?.color ?? 'currentColor';
      return html`<figure><figcaption>${generatorName(data, generator)}<span class="value">${meanOf(data, plot.metric, generator)}</span></figcaption>${lengthBars(bins, color, top, unit, caption)}</figure>`;
    });
};

/** Visits per patient, codes per visit: pale bars are real, colored ones synthetic. */
export const lengths = (data: ReportData): Markup | false => {
  const drawn = data.lengths
    .map((plot) => ({ plot, figures: figures(data, plot) }))
    .filter((row) => row.figures.length > 0);
  return (
    drawn.length > 0 &&
    html`<h3>How long are records and visits?</h3><ul class="legend" aria-label="Colors of bars"><li><i class="swatch" style="background:var(--real-soft)"></i>real training patients</li><li><i class="swatch split"></i>synthetic patients, in the generator's color</li></ul>${drawn.map(
      ({ plot, figures: own }) =>
        html`<h4>${plot.title}</h4><p class="about">${plot.about}</p>${panels(own, 'generator')}`,
    )}${data.suppressBelow > 1 && html`<p class="note">Lengths are grouped until every bar is of at least ${data.suppressBelow} real patients.</p>`}`
  );
};
