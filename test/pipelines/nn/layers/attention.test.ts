import test from 'ava';
import { startBackend } from '../../../../infra/backend.ts';
import { RandomSource } from '../../../../pipelines/kernel/random.ts';
import {
  attention,
  attentionBackward,
  type CrossGrid,
  crossAttention,
  crossAttentionBackward,
  crossKeysValues,
  type RowGrid,
} from '../../../../pipelines/nn/layers/attention.ts';
import { layGroups } from '../../../../pipelines/nn/layers/cells.ts';
import type { Gradients } from '../../../../pipelines/nn/layers/layers.ts';
import { openOps } from '../../../../pipelines/nn/ops/open-ops.ts';
import type { Ops, Tensor, Variable } from '../../../../pipelines/nn/ops/ops.ts';

const width = 8;
const heads = 2;
const draws = (count: number, part: number): Float32Array => {
  const uniforms = new Float64Array(count);
  new RandomSource(5, 'order').fill(uniforms, 0, count, part);
  return Float32Array.from(uniforms, (u) => 2 * u - 1);
};

/** Rows of four lines in a mixed order, and where each line's rows are; another sequence of other lengths. */
const queryLines = [[4, 0], [1, 6, 2, 8, 3], [5], [9, 7, 10]];
const sourceLines = [[0, 1, 2], [3], [4, 5, 6, 7, 8, 9], [10, 11]];

/** No row sees the padding of its line. */
const gridOf = (
  ops: Ops,
  lines: number[][],
  groups: number[][],
  padded: (length: number) => number,
): RowGrid => {
  const cells = layGroups(ops, lines, lines.flat().length, groups, padded);
  const masks = cells.groups.map(({ lines: own, length }) => {
    const mask = new Float32Array(own.length * length);
    own.forEach((line, i) => {
      mask.fill(-1e10, i * length + (lines[line] as number[]).length, (i + 1) * length);
    });
    return ops.upload(mask, [own.length, 1, 1, length]);
  });
  return { ...cells, masks };
};

/** All that self- and cross-attention give, forward and backward. */
const everything = (
  ops: Ops,
  groups: number[][],
  padded: (length: number) => number,
  find: (name: string, ...shape: number[]) => Variable,
): Map<string, Float32Array> => {
  const results = new Map<string, Float32Array>();
  const note = (name: string, tensor: Tensor) => results.set(name, ops.download(tensor));
  const linear = (name: string, times: number) => ({
    weight: find(`${name}.weight`, width, times * width),
    bias: find(`${name}.bias`, times * width),
  });
  ops.scope(() => {
    const [rows, source] = [ops.upload(draws(88, 90), [11, width]), ops.upload(draws(96, 91), [12, width])];
    const dy = ops.upload(draws(88, 92), [11, width]);
    const pass: Gradients = { ops, update: ({ name }, gradient) => note(name, gradient) };
    const grid = gridOf(ops, queryLines, groups, padded);
    const self = { heads, project: linear('project', 3), output: linear('output', 1) };
    const seen = attention(ops, self, grid, rows);
    note('self', seen.out);
    note('dRows', attentionBackward(pass, self, grid, seen, dy));
    const keys = gridOf(ops, sourceLines, groups, padded);
    const crossing: CrossGrid = { queries: grid, keys, masks: keys.masks };
    const cross = {
      heads,
      query: linear('query', 1),
      keysValues: linear('keysValues', 2),
      output: linear('read', 1),
    };
    const read = crossAttention(ops, cross, crossing, crossKeysValues(ops, cross, keys, source), rows);
    note('cross', read.out);
    const { dInput, dSource } = crossAttentionBackward(pass, cross, crossing, read, source, dy);
    note('dInput', dInput);
    note('dSource', dSource);
  });
  return results;
};

test('attention in groups of lines, padded further, is attention in one grid', async (t) => {
  await startBackend();
  const ops = await openOps();
  const variables = new Map<string, Variable>();
  const find = (name: string, ...shape: number[]): Variable => {
    const known = variables.get(name);
    if (known) return known;
    const value = draws(
      shape.reduce((a, b) => a * b, 1),
      variables.size,
    );
    const variable = ops.variable(name, shape, { value });
    variables.set(name, variable);
    return variable;
  };
  const one = everything(ops, [[0, 1, 2, 3]], (length) => length, find);
  const two = everything(
    ops,
    [
      [2, 0],
      [3, 1],
    ],
    (length) => length + 3,
    find,
  );
  const each = everything(ops, [[3], [0], [1], [2]], (length) => length, find);
  t.is(one.size, 15);
  for (const [name, expected] of one)
    for (const [how, found] of Object.entries({ two, each }))
      expected.forEach((value, i) => {
        const off = Math.abs((found.get(name)?.[i] ?? Number.NaN) - value);
        t.true(off < 1e-5, `${name} of ${how} groups: off by ${off}`);
      });
  ops.dispose();
});
