import { decimal, integer } from '../../kernel/number-format.ts';
import { sizeChart } from '../charts/size-lines.ts';
import { html } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import type { SizePanel } from '../training-sizes.ts';
import { defined, direction, generatorNamed, type Section } from './section.ts';

const colorOf = (data: ReportData, { generator, points }: SizePanel['lines'][number]): string =>
  [generator, ...points.map(({ name }) => name)].flatMap(
    (name) => generatorNamed(data, name)?.color ?? [],
  )[0] ?? 'currentColor';

const inWords = ({ lines, references }: SizePanel): string =>
  [
    ...lines.map(
      ({ generator, points }) =>
        `${generator}: ${points.map(({ patients, value }) => `${decimal(value)} with ${integer(patients)} patients`).join(', ')}`,
    ),
    ...references.map(({ label, value }) => `${label}: ${decimal(value)}`),
  ].join('; ');

/** Quality by number of training patients; null where no generator was trained on several numbers of them. */
export const trainingSize = (data: ReportData): Section | null => {
  if (data.sizes.length === 0) return null;
  const generators = [...new Set(data.sizes.flatMap(({ lines }) => lines.map(({ generator }) => generator)))];
  const swatch = (name: string) =>
    colorOf(
      data,
      data.sizes.flatMap(({ lines }) => lines).find(({ generator }) => generator === name) ?? {
        generator: name,
        points: [],
      },
    );
  const figure = (panel: SizePanel, i: number) => {
    const lines = panel.lines.map((drawn) => ({ ...drawn, color: colorOf(data, drawn) }));
    const caption = {
      id: `sizes-${i}`,
      title: `${panel.heading} by training patients`,
      description: inWords(panel),
    };
    return html`<figure><figcaption>${defined(data, panel.metric, panel.row, panel.heading)} ${direction(panel.better)}</figcaption>${sizeChart(lines, panel.references, caption)}</figure>`;
  };
  return {
    id: 'training-size',
    title: 'Quality by number of training patients',
    short: 'Training size',
    body: html`<p>The same generator, trained on increasing numbers of training patients. Each smaller set is part of the larger ones, and all synthetic cohorts are of the same size. Cohorts are compared with all training patients; attacks, and scores of a model on its training patients, use only the patients that the model has seen. Lines have 95% intervals by resampling patients; these do not include the variation between trainings.</p>
<ul class="legend" aria-label="Generators">${generators.map((name) => html`<li><span class="generator"><i class="swatch" style="background:${swatch(name)}"></i>${name}</span></li>`)}</ul>
<div class="panels">${data.sizes.map(figure)}</div>`,
  };
};
