import { dot, line } from '@observablehq/plot';
import type { LearningCurve } from '../../generation/learning-curve.ts';
import type { Markup } from '../markup.ts';
import { type Caption, draw } from './draw.ts';

/**
 * Loss by epoch: training as a thin line, validation as a thick one with dots. Logarithmic if it spans a
 * decade.
 */
export const learningCurve = (curve: LearningCurve, color: string, caption: Caption): Markup => {
  const training = curve.map(({ epoch, loss }) => ({ epoch, loss }));
  const validation = curve.flatMap(({ epoch, validationLoss }) =>
    validationLoss === undefined ? [] : [{ epoch, loss: validationLoss }],
  );
  const losses = [...training, ...validation].map(({ loss }) => loss);
  const low = Math.min(...losses);
  const high = Math.max(...losses);
  const isLog = low > 0 && high / low > 10;
  const shown = validation.length <= 40 ? validation : [];
  return draw(
    {
      width: 340,
      height: 240,
      marginLeft: 46,
      marginRight: 12,
      marginTop: 22,
      marginBottom: 38,
      x: { label: 'epoch →', ticks: 5, tickSize: 0, tickFormat: (epoch: number) => String(epoch) },
      y: {
        type: isLog ? 'log' : 'linear',
        label: '↑ loss',
        ticks: 5,
        tickSize: 0,
        grid: true,
        // Not from 0: where a loss falls by little, its turn would not be seen.
        domain: [low, high],
        tickFormat: (loss: number) => String(Number(loss.toPrecision(2))),
      },
      marks: [
        line(training, { x: 'epoch', y: 'loss', stroke: 'var(--soft)', strokeWidth: 1.2 }),
        line(validation, { x: 'epoch', y: 'loss', stroke: color, strokeWidth: 2.2 }),
        dot(shown, {
          x: 'epoch',
          y: 'loss',
          r: 3,
          fill: color,
          title: ({ epoch, loss }: { epoch: number; loss: number }) =>
            `epoch ${epoch}\nvalidation loss ${Number(loss.toPrecision(4))}`,
        }),
      ],
    },
    caption,
  );
};
