import { counted, percent } from '../../kernel/number-format.ts';
import type { MetricTable } from '../../verdicts/metric-tables.ts';
import { type LabelBar, labelBars } from '../charts/bars.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { fold, generatorName, generatorNamed, leftOutSentence } from './section.ts';

const barsOf = (data: ReportData, { rows }: MetricTable): LabelBar[] =>
  rows
    .filter((row) => row.patients !== undefined && row.real !== null)
    .map(({ title, real, values }) => ({
      label: title,
      real: real ?? 0,
      synthetic: values.flatMap(({ generator, value }) =>
        value === null
          ? []
          : [{ generator, color: generatorNamed(data, generator)?.color ?? 'currentColor', share: value }],
      ),
    }))
    .sort((a, b) => b.real - a.real);

const figures = (metric: MetricTable, bars: readonly LabelBar[]): Markup => {
  const most = Math.max(
    ...bars.flatMap(({ real, synthetic }) => [real, ...synthetic.map(({ share }) => share)]),
  );
  const top = Math.min(1, Math.max(0.2, Math.ceil(most * 5) / 5));
  const columns = bars.length > 16 ? 3 : bars.length > 8 ? 2 : 1;
  const size = Math.ceil(bars.length / columns);
  return html`<div class="panels">${Array.from({ length: columns }, (_, i) => {
    const part = bars.slice(i * size, (i + 1) * size);
    const caption = {
      id: `${metric.metric}-${i}`,
      title: `${metric.title}: share of patients, ${columns > 1 ? `part ${i + 1} of ${columns}` : 'all'}`,
      description: part.map(({ label, real }) => `${label} ${percent(real)}`).join('; '),
    };
    return html`<figure>${labelBars(part, top, caption)}</figure>`;
  })}</div>`;
};

/** Prevalence of every label, all generators on one bar. */
export const labels = (data: ReportData): Markup | false => {
  const metric = data.metrics.find(
    ({ family, rows, leftOut }) =>
      family === 'similarity' && (leftOut > 0 || rows.some((row) => row.patients !== undefined)),
  );
  if (!metric) return false;
  const bars = barsOf(data, metric);
  const note = html`<p class="note">${bars.length === 0 && 'No label is common enough among real patients to be shown. '}${leftOutSentence(metric.leftOut, 'label', data.suppressBelow)}</p>`;
  return html`<h3>How frequent are labels?</h3><p>${metric.about}</p>${
    bars.length > 0 &&
    fold(
      `${metric.title}: ${counted(bars.length, 'label')}`,
      html`<p>The pale bar is the share of real training patients, a dot the share in a synthetic cohort: it should sit on the end of the bar.</p>
<ul class="legend" aria-label="Colors of dots"><li><i class="swatch" style="background:var(--real-soft)"></i>real</li>${data.generators.map(
        ({ name }) => html`<li>${generatorName(data, name)}</li>`,
      )}</ul>${figures(metric, bars)}`,
    )
  }${note}`;
};
