import type { LearningCurve } from '../../generation/learning-curve.ts';
import { counted, listed } from '../../kernel/number-format.ts';
import { learningCurve } from '../charts/learning-curve.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { curveConclusion } from '../training-conclusion.ts';
import { generatorName, generatorNamed, panels, type Section } from './section.ts';

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

const figure = (
  data: ReportData,
  { generator, curve, earlyStopping }: ReportData['curves'][number],
  i: number,
): Markup => {
  const words = inWords(curve);
  const conclusion = curveConclusion(curve, earlyStopping);
  const color = generatorNamed(data, generator)?.color ?? 'var(--g0)';
  const caption = {
    id: `curve-${i}`,
    title: `Loss of ${generator} during training`,
    description: `${conclusion} ${words}`,
  };
  return html`<figure><figcaption>${generatorName(data, generator)}</figcaption><p class="conclusion">${conclusion}</p>${learningCurve(curve, color, caption)}<p class="note">${words}.</p></figure>`;
};

/** What the learning curve of every model shows, in words and drawn; models fitted in one step are named. */
export const training = (data: ReportData): Section => {
  const drawn = data.curves.filter(({ curve }) => curve.length > 1);
  const atOnce = data.curves.filter(({ curve }) => curve.length < 2).map(({ generator }) => generator);
  return {
    id: 'training',
    title: 'Training',
    short: 'Training',
    body: html`${
      drawn.length > 0 &&
      html`<p>Loss by epoch: the thin line is the mean training loss, the thick one with dots the loss on validation patients, whom the model does not learn from. If the thick line turns up while the thin one falls, the model memorizes patients (overfitting). Losses of different generators are not comparable.</p>`
    }${panels(
      drawn.map((curve, i) => figure(data, curve, i)),
      'model',
    )}${atOnce.length > 0 && html`<p class="note">Fitted in one step, without a curve: ${listed(atOnce)}.</p>`}`,
  };
};
