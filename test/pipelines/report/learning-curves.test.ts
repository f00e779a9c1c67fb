import test from 'ava';
import { parseHTML } from 'linkedom';
import { reportPage } from '../../../pipelines/report/page.ts';
import { assembleReport } from '../../../pipelines/report/report-data.ts';
import { exampleRun } from './example-run.ts';

const run = exampleRun(2);
const { document } = parseHTML(reportPage(assembleReport(run)));
const figures = [...document.querySelectorAll('#training figure')];

test('every model has its learning curve, described in words: steps, epochs, the best validation', (t) => {
  t.is(figures.length, 3);
  for (const [i, { curve }] of run.curves.entries()) {
    if (curve.length === 0) continue;
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
  const [baseline, model] = figures;
  t.is(baseline?.querySelectorAll('svg').length, 0);
  t.true(baseline?.textContent?.includes('there is no curve'));
  const validations = run.curves[1]?.curve.filter(({ validationLoss }) => validationLoss !== undefined);
  t.is(model?.querySelectorAll('svg circle').length, validations?.length);
});
