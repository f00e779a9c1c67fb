import test from 'ava';
import { parseHTML } from 'linkedom';
import type { LearningCurve } from '../../../pipelines/generation/learning-curve.ts';
import { RandomSource } from '../../../pipelines/kernel/random.ts';
import { reportPage } from '../../../pipelines/report/page.ts';
import { assembleReport } from '../../../pipelines/report/report-data.ts';
import { curveConclusion, curveShape } from '../../../pipelines/report/training-conclusion.ts';
import { exampleRun } from './example-run.ts';

const run = exampleRun(2);
const { document } = parseHTML(reportPage(assembleReport(run)));
const figures = [...document.querySelectorAll('#training figure')];

test('every model has its learning curve, described in words: steps, epochs, the best validation', (t) => {
  t.is(figures.length, 2);
  for (const [i, { curve }] of run.curves.slice(1).entries()) {
    const losses = curve.flatMap(({ epoch, validationLoss }) =>
      validationLoss === undefined ? [] : [{ epoch, validationLoss }],
    );
    const best = Math.min(...losses.map(({ validationLoss }) => validationLoss));
    const text = figures[i]?.textContent ?? '';
    t.true(text.includes(`${curve.length} epochs`), text);
    t.regex(
      text,
      new RegExp(
        `lowest validation loss ${Number(best.toPrecision(4))} in epoch ${losses.find(({ validationLoss }) => validationLoss === best)?.epoch}\\b`,
      ),
    );
  }
});

test('the thin line is the training loss, the dots are validations; a fit in one go has no curve', (t) => {
  const [model] = figures;
  const text = document.querySelector('#training')?.textContent ?? '';
  t.true(text.includes('Fitted in one step, without a curve: marginal.'));
  const validations = run.curves[1]?.curve.filter(({ validationLoss }) => validationLoss !== undefined);
  t.is(model?.querySelectorAll('svg circle').length, validations?.length);
});

const curveFrom = (losses: readonly (number | undefined)[]): LearningCurve =>
  losses.map((validationLoss, i) => ({
    step: i + 1,
    epoch: i + 1,
    batches: 1,
    loss: 1 / (i + 1),
    validationLoss,
  }));

/** Smooth curves of 60 epochs, and normal noise upon them. */
const epochs = Array.from({ length: 60 }, (_, i) => i);
const noisy = (sd: number, seed: number, loss: (epoch: number) => number): LearningCurve => {
  const uniforms = new Float64Array(120);
  new RandomSource(seed, 'order').fill(uniforms, 0, 120, 0);
  return curveFrom(
    epochs.map((epoch) => {
      const [a, b] = [uniforms[2 * epoch] ?? 0, uniforms[2 * epoch + 1] ?? 0];
      return loss(epoch) + sd * Math.sqrt(-2 * Math.log(1 - a)) * Math.cos(2 * Math.PI * b);
    }),
  );
};
const overfit = (epoch: number) => 1 + Math.exp(-epoch / 4) + 0.004 * epoch;
const falling = (epoch: number) => 2 - 0.02 * epoch;
const flat = (epoch: number) => 1 + Math.exp(-epoch / 4);

test('planted curves are read as what they are, with little noise and with more', (t) => {
  for (const sd of [0, 0.01, 0.03])
    for (let seed = 0; seed < 10; seed++) {
      t.is(curveShape(noisy(sd, seed, overfit)), 'overfitting', `sd ${sd}, seed ${seed}`);
      t.is(curveShape(noisy(sd, seed, flat)), 'levelled off', `sd ${sd}, seed ${seed}`);
      t.not(curveShape(noisy(sd, seed, falling)), 'overfitting', `sd ${sd}, seed ${seed}`);
    }
  t.is(curveShape(noisy(0, 0, falling)), 'still falling');
  t.is(curveShape(curveFrom([1, 0.5, 0.6, 0.8, 1])), 'overfitting');
  t.is(curveShape(curveFrom([1, 1.1, 1.2, 1.3])), 'overfitting', 'worse from the first epoch on');
  t.is(curveShape(curveFrom([2.72, 2.707, 2.706, 2.71, 2.713, 2.714])), 'levelled off', 'it hardly moves');
  t.is(curveShape(curveFrom([1, 0.5])), 'still falling');
  t.is(curveShape(curveFrom([undefined, undefined])), 'not validated');
  t.is(curveShape(curveFrom([0.5])), 'one step');
  t.is(curveShape([]), 'one step');
});

test('the conclusion names the epoch, and the weights where the training reports them', (t) => {
  const curve = curveFrom([1, 0.5, 0.4, 0.6, 0.8, 1]);
  t.is(
    curveConclusion(curve, 'after 3 epochs without a better validation loss'),
    'Validation loss was least at epoch 3 of 6 and rose after that: the model was overfitting. The weights of epoch 3 were used.',
  );
  t.regex(
    curveConclusion(curve, 'off: 4 patients to validate on, 20 needed'),
    /was overfitting\. Early stopping was off: 4 patients to validate on, 20 needed, so the weights of the last epoch were used\.$/,
  );
  t.regex(
    curveConclusion(curve, 'after epoch 2 of at most 6, chosen by cross-validation with 5 folds'),
    /overfitting\. This is the mean of models .*; training on all of them ended after epoch 2 of at most 6, chosen by/,
  );
  t.regex(curveConclusion(curve), /the model was overfitting\.$/);
  t.regex(curveConclusion(curveFrom([1, 0.9, 0.8, 0.7])), /still falling when training ended at epoch 4/);
  t.regex(curveConclusion(curveFrom([undefined, undefined])), /no validation patients.*cannot be seen/);
  t.regex(figures[0]?.querySelector('.conclusion')?.textContent ?? '', /^Validation loss was /);
});
