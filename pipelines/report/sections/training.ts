import type { LearningCurve } from '../../generation/learning-curve.ts';
import { counted } from '../../kernel/number-format.ts';
import { learningCurve } from '../charts/learning-curve.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { generatorName, generatorNamed, type Section } from './section.ts';

const significant = (value: number): string => String(Number(value.toPrecision(4)));

const inWords = (curve: LearningCurve): string => {
  const last = curve.at(-1);
  const losses = curve.flatMap(({ epoch, validationLoss }) =>
    validationLoss === undefined ? [] : [{ epoch, loss: validationLoss }],
  );
  const [best] = [...losses].sort((a, b) => a.loss - b.loss);
  const validated = best
    ? `lowest validation loss ${significant(best.loss)} in epoch ${best.epoch}`
    : 'no validation';
  return `${counted(last?.step ?? 0, 'step')} in ${counted(curve.length, 'epoch')}, last training loss ${significant(last?.loss ?? 0)}; ${validated}`;
};

const figure = (data: ReportData, { generator, curve }: ReportData['curves'][number], i: number): Markup => {
  const name = generatorName(data, generator);
  if (curve.length < 2)
    return html`<figure><figcaption>${name}</figcaption><p class="empty">Fitted in one step: there is no curve.</p></figure>`;
  const words = inWords(curve);
  const color = generatorNamed(data, generator)?.color ?? 'var(--g0)';
  const caption = { id: `curve-${i}`, title: `Loss of ${generator} during training`, description: words };
  return html`<figure><figcaption>${name}</figcaption>${learningCurve(curve, color, caption)}<p class="note">${words}.</p></figure>`;
};

/** The learning curve of every model. */
export const training = (data: ReportData): Section => ({
  id: 'training',
  title: 'Training',
  short: 'Training',
  body: html`<p>Loss by epoch: the thin line is the mean training loss, the thick one with dots the loss on validation patients. If the thick line turns up while the thin one falls, the model memorizes patients (overfitting). Losses of different generators are not comparable.</p>
<div class="panels">${data.curves.map((curve, i) => figure(data, curve, i))}</div>`,
});
