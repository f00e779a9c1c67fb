import { counted, decimal, listed } from '../../kernel/number-format.ts';
import { type LabelMark, labelScores, type MarkNames } from '../charts/label-scores.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import type { LabelScorePlot } from '../utility-plots.ts';
import { generatorName, generatorNamed } from './section.ts';

/** Which arrangement is which mark, and what it is called. */
const roles: readonly Record<keyof MarkNames, [arrangement: string, name: string]>[] = [
  {
    bar: ['real', 'trained on real'],
    dot: ['synthetic', 'trained on synthetic'],
    ring: ['augmented', 'trained on both'],
  },
  {
    bar: ['imbalanced', 'few real patients alone'],
    dot: ['augmented', 'synthetic ones added'],
    ring: ['balanced', 'real ones added'],
  },
];

type Role = (typeof roles)[number];

const roleOf = ({ arrangements }: LabelScorePlot): Role | undefined =>
  roles.find(({ bar, dot }) => arrangements.includes(bar[0]) && arrangements.includes(dot[0]));

const marksOf = (
  { arrangements }: LabelScorePlot,
  { bar, dot, ring }: Role,
  { labels }: LabelScorePlot['panels'][number],
): LabelMark[] => {
  const at = (values: number[], [arrangement]: [string, string]) => values[arrangements.indexOf(arrangement)];
  return labels
    .map(({ label, values }): LabelMark => {
      const [second, third] = [at(values, dot), at(values, ring)];
      return {
        label,
        bar: at(values, bar) ?? 0.5,
        ...(second === undefined ? {} : { dot: second }),
        ...(third === undefined ? {} : { ring: third }),
      };
    })
    .sort((a, b) => b.bar - a.bar);
};

const legend = ({ bar, dot, ring }: Role): Markup =>
  html`<ul class="legend" aria-label="Marks"><li><i class="swatch" style="background:var(--real-soft)"></i>${bar[1]}</li><li><i class="swatch" style="background:var(--baseline)"></i>${dot[1]}</li><li><i class="swatch ring"></i>${ring[1]}</li><li>dashed: guessing</li></ul>`;

/** Labels that could not be measured, by reason: the labels of all generators that share it. */
const unmeasuredList = ({ panels }: LabelScorePlot): Markup | false => {
  const all = panels.flatMap(({ unmeasured }) => unmeasured);
  const reasons = Map.groupBy(all, ({ why }) => why);
  return (
    all.length > 0 &&
    html`<p class="note">Not measured:</p><ul class="note">${[...reasons].map(([why, labels]) => html`<li>${listed([...new Set(labels.map(({ label }) => label))])}: ${why}</li>`)}</ul>`
  );
};

/**
 * Label by label, a figure per generator; labels that could not be measured are listed below it, with the
 * reason.
 */
export const labelScoreFigures = (data: ReportData, metric: string): Markup | false => {
  const plot = data.labelScores.find((candidate) => candidate.metric === metric);
  const role = plot && roleOf(plot);
  if (!role) return false;
  const drawn = plot.panels.map((panel) => ({ panel, marks: marksOf(plot, role, panel) }));
  const values = drawn.flatMap(({ marks }) =>
    marks.flatMap(({ bar, dot = bar, ring = bar }) => [bar, dot, ring]),
  );
  const low = Math.min(...values) >= 0.4 ? 0.4 : Math.min(...values) >= 0.2 ? 0.2 : 0;
  const names = { bar: role.bar[1], dot: role.dot[1], ring: role.ring[1] };
  const figures = drawn
    .filter(({ marks }) => marks.length > 0)
    .map(({ panel: { generator, leftOut }, marks }, i) => {
      const caption = {
        id: `labels-${metric}-${i}`,
        title: `${plot.title} label by label, ${generator}`,
        description: marks
          .map(
            ({ label, bar, dot }) =>
              `${label}: ${names.bar} ${decimal(bar)}${dot === undefined ? '' : `, ${names.dot} ${decimal(dot)}`}`,
          )
          .join('; '),
      };
      const color = generatorNamed(data, generator)?.color ?? 'currentColor';
      return html`<figure><figcaption>${generatorName(data, generator)}</figcaption>${labelScores(marks, low, color, names, caption)}${leftOut > 0 && html`<p class="note">Not named: ${counted(leftOut, 'label')} that fewer than ${data.suppressBelow} real patients have.</p>`}</figure>`;
    });
  return html`${figures.length > 0 && html`${legend(role)}<div class="panels">${figures}</div>`}${unmeasuredList(plot)}`;
};
