import test from 'ava';
import { RandomSource } from '../../../../pipelines/kernel/random.ts';
import { type Distribution, freshValues } from '../../../../pipelines/nn/ops/fresh-values.ts';

const random = new RandomSource(3, 'weights');
const normal: Distribution = { kind: 'normal', size: 2 };
const uniform: Distribution = { kind: 'uniform', size: 3 };
const moment = (values: Float32Array, power: number): number =>
  values.reduce((sum, value) => sum + value ** power, 0) / values.length;

test('a draw belongs to the cell of the whole tensor, however it is cut', (t) => {
  for (const distribution of [normal, uniform]) {
    const whole = freshValues(random, distribution, { tensor: 1, row: 0, column: 0, rows: 6, columns: 11 });
    for (const [row, column, rows, columns] of [
      [0, 0, 6, 11],
      [2, 1, 3, 4],
      [5, 3, 1, 7],
      [1, 10, 5, 1],
    ] as const) {
      const part = freshValues(random, distribution, { tensor: 1, row, column, rows, columns });
      const expected = Array.from({ length: rows * columns }, (_, i) => {
        const at = (row + Math.floor(i / columns)) * 11 + column + (i % columns);
        return whole[at] as number;
      });
      t.deepEqual([...part], expected);
    }
    const other = freshValues(random, distribution, { tensor: 2, row: 0, column: 0, rows: 6, columns: 11 });
    t.is(whole.filter((value) => other.includes(value)).length, 0);
  }
});

test('uniform draws fill ±size evenly, normal ones have the moments of their deviation', (t) => {
  const shape = { tensor: 0, row: 0, column: 0, rows: 100, columns: 1000 };
  const flat = freshValues(random, uniform, shape);
  t.true(flat.every((value) => Math.abs(value) <= 3));
  // Standard errors of 100,000 draws: 0.0055, 0.0085; of the normal's moments 0.0063, 0.018, 0.077, 0.5.
  t.true(Math.abs(moment(flat, 1)) < 0.025);
  t.true(Math.abs(moment(flat, 2) - 3) < 0.04);
  const bell = freshValues(random, normal, shape);
  t.true(Math.abs(moment(bell, 1)) < 0.03);
  t.true(Math.abs(moment(bell, 2) - 4) < 0.08);
  t.true(Math.abs(moment(bell, 3)) < 0.4);
  t.true(Math.abs(moment(bell, 4) - 48) < 2.5);
  const neighbors = bell.reduce((sum, value, i) => sum + value * (bell[i + 1] ?? 0), 0) / bell.length;
  t.true(Math.abs(neighbors) < 0.06, 'the two draws of a pair are independent');
});

test('a constant is one', (t) => {
  const shape = { tensor: 0, row: 4, column: 3, rows: 1, columns: 5 };
  t.deepEqual([...freshValues(random, { kind: 'constant', size: 1 }, shape)], [1, 1, 1, 1, 1]);
});
