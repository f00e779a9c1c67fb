import { readFile } from 'node:fs/promises';
import type { TestFn } from 'ava';
import type { NamedArray } from '../../../../pipelines/kernel/checkpointable.ts';
import { decodeSafetensors } from '../../../../pipelines/kernel/safetensors.ts';
import {
  type ClassifierNetwork,
  classify,
  classifyBackward,
} from '../../../../pipelines/metrics/learners/classifier-network.ts';
import type { Update } from '../../../../pipelines/nn/layers/layers.ts';
import type { Example } from '../../../../pipelines/nn/networks/visit-batch.ts';
import { codeBook, packExamples, type VisitBatch } from '../../../../pipelines/nn/networks/visit-batch.ts';
import { deviceArrays, openOps } from '../../../../pipelines/nn/ops/open-ops.ts';
import type { Ops, Variable } from '../../../../pipelines/nn/ops/ops.ts';
import { VisitColumnsBuilder } from '../../../../pipelines/patients/visit-columns.ts';
import { utilityGolden } from './utility-golden.ts';

type Tensors = Record<string, NamedArray>;

const hidden = 8;
const tokens = 120;

const numbers = (tensors: Tensors, name: string): Float32Array => {
  const data = tensors[name]?.data;
  if (!(data instanceof Float32Array)) throw new Error(`the fixture has no floats called ${name}`);
  return data;
};

/** [rows, columns] → [columns, rows] */
const transposed = (data: Float32Array, rows: number): Float32Array => {
  const columns = data.length / rows;
  return Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)] as number);
};

/** PyTorch's gates (input, forget, candidate, output) put in our order along the last axis. */
const gates = (data: Float32Array): Float32Array => {
  const theirs = [0, 1, 3, 2];
  return Float32Array.from(data, (_, i) => {
    const column = i % (4 * hidden);
    const gate = theirs[Math.floor(column / hidden)] as number;
    return data[i - column + gate * hidden + (column % hidden)] as number;
  });
};

const join = (parts: Float32Array[]): Float32Array => Float32Array.from(parts.flatMap((part) => [...part]));

/** The tensors of one layer, or their gradients, both directions on one another. */
const layerValues = (tensors: Tensors, prefix: string, depth: number) => {
  const both = (name: string, suffixes = ['', '_reverse']) =>
    suffixes.map((suffix) => numbers(tensors, `${prefix}lstm.${name}_l${depth}${suffix}`));
  const weight = (name: string) => join(both(name).map((data) => gates(transposed(data, 4 * hidden))));
  const [one, two] = ['bias_ih', 'bias_hh'].map((name) => join(both(name).map(gates)));
  return { input: weight('weight_ih'), recurrent: weight('weight_hh'), one, two };
};

const openTiny = (ops: Ops, tensors: Tensors): ClassifierNetwork => {
  const layers = [0, 1].map((depth) => {
    const { input, recurrent, one, two } = layerValues(tensors, '', depth);
    const bias = one?.map((value, i) => value + (two?.[i] as number));
    return {
      input: ops.variable(`input${depth}`, [2, 16, 32], { value: input }),
      recurrent: ops.variable(`recurrent${depth}`, [2, 8, 32], { value: recurrent }),
      bias: ops.variable(`bias${depth}`, [2, 1, 32], bias ? { value: bias } : {}),
    };
  });
  const table = { value: transposed(numbers(tensors, 'embedding.weight'), 16) };
  return {
    encoder: {
      shape: { embedding: 16, hidden, layers: 2, directions: 2 },
      table: ops.variable('embedding', [tokens, 16], table),
      stack: { directions: 2, layers },
    },
    weight: ops.variable('head.weight', [1, 16, 1], { value: numbers(tensors, 'fc.weight') }),
    bias: ops.variable('head.bias', [1, 1, 1], { value: numbers(tensors, 'fc.bias') }),
  };
};

const tinyBatch = (tensors: Tensors): { batch: VisitBatch; targets: Float32Array } => {
  const input = numbers(tensors, 'input');
  const lengths = tensors['lengths']?.data ?? [];
  const labels = numbers(tensors, 'label0');
  const builder = new VisitColumnsBuilder();
  labels.forEach((label, patient) => {
    const visits = Array.from({ length: Number(lengths[patient]) }, (_, t) => {
      const from = (patient * 8 + t) * tokens;
      return [...input.subarray(from, from + tokens).keys()].filter((token) => input[from + token] === 1);
    });
    builder.addPatient(visits, [label]);
  });
  const cohort = builder.build();
  const examples = Array.from(
    labels,
    (label, patient): Example => ({ cohort, patient, positive: label === 1 }),
  );
  // Every token has its row, also those of no patient: the fixture's table is whole.
  const book = { ...codeBook([], tokens), rowOf: Int32Array.from({ length: tokens }, (_, token) => token) };
  const batch = packExamples([examples], [book]);
  return { batch, targets: Float32Array.from(batch.exampleOf, (example) => labels[example] as number) };
};

const furthest = (ours: ArrayLike<number>, theirs: Float32Array): number => {
  const size = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return theirs.reduce((most, value, i) => Math.max(most, Math.abs(value - (ours[i] as number))), 0) / size;
};

/** HALO's DiagnosisModel on the fixture: probabilities, loss, and every gradient. */
export const testGoldenBilstm = (test: TestFn, start: () => Promise<unknown>): void => {
  test.serial('probabilities, loss and gradients are those of the reference', async (t) => {
    await start();
    const bytes = await readFile(
      new URL('../../../fixtures/golden/halo_bilstm_tiny.safetensors', import.meta.url),
    );
    const tensors = decodeSafetensors(bytes).arrays;
    const golden = await utilityGolden();
    const before = deviceArrays();
    const ops = await openOps();
    const network = openTiny(ops, tensors);
    const { batch, targets } = tinyBatch(tensors);
    const gradients = new Map<Variable, Float32Array>();
    const logits = ops.scope(() => {
      const trace = classify(ops, network, batch);
      const update: Update = (parameter, gradient) => gradients.set(parameter, ops.download(gradient));
      classifyBackward({ ops, update }, network, trace, targets);
      return ops.download(trace.logits);
    });
    const expected = numbers(tensors, 'prob_eval_mode');
    let loss = 0;
    logits.forEach((logit, slot) => {
      const odds = 1 / (1 + Math.exp(-logit));
      t.true(Math.abs(odds - (expected[batch.exampleOf[slot] as number] as number)) < 1e-5);
      loss -= Math.log(targets[slot] === 1 ? odds : 1 - odds) / logits.length;
    });
    t.true(Math.abs(loss - golden.loss) < 1e-6);
    const same = (parameter: Variable, theirs: Float32Array | undefined) =>
      t.true(furthest(gradients.get(parameter) ?? [], theirs ?? new Float32Array()) < 1e-4, parameter.name);
    same(network.encoder.table, transposed(numbers(tensors, 'grad.embedding.weight'), 16));
    same(network.weight, numbers(tensors, 'grad.fc.weight'));
    same(network.bias, numbers(tensors, 'grad.fc.bias'));
    for (const [depth, layer] of network.encoder.stack.layers.entries()) {
      const theirs = layerValues(tensors, 'grad.', depth);
      same(layer.input, theirs.input);
      same(layer.recurrent, theirs.recurrent);
      same(layer.bias, theirs.one);
      same(layer.bias, theirs.two);
    }
    t.is(gradients.size, 9);
    ops.dispose();
    t.is(deviceArrays(), before);
  });
};
