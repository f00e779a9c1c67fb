/**
 * Conditional prompts (Wang and Sun, EMNLP 2022, section 3.3): known facts of a patient as rows in front of a
 * sequence, (x·W0 + b)·W1 for each feature. Where a fact is unknown, its row is zero. B patients, N numerical
 * and C categorical features, D0 hidden.
 */
import { deliver, type Gradients } from '../../../nn/layers/layers.ts';
import type { Ops, Tensor, Variable } from '../../../nn/ops/ops.ts';
import { type PromptArchitecture, promptRows } from './architecture.ts';
import type { Prompts } from './sequences.ts';
import { promptName, type Side } from './weight-layout.ts';

/** Features of one kind: what they add up from table and bias, and the way from there to a row. */
interface Featurizer {
  table: Variable; // [N or levels, D0]
  bias: Variable; // [N or C, D0]
  project: Variable; // [D0, E]
}

export interface PromptLayer {
  numeric: Featurizer | undefined;
  categories: Featurizer | undefined;
}

/** The prompt parameters of one side by their names in the reference. */
export const promptLayerOf = (
  { numeric, categories }: PromptArchitecture,
  side: Side,
  find: (name: string) => Variable,
): PromptLayer => {
  const featurizer = (kind: 'num' | 'cat', table: string): Featurizer => ({
    table: find(promptName(side, kind, table)),
    bias: find(promptName(side, kind, 'bias')),
    project: find(promptName(side, kind, 'proj.weight')),
  });
  return {
    numeric: numeric > 0 ? featurizer('num', 'weight') : undefined,
    categories: categories.length > 0 ? featurizer('cat', 'embeddings.weight') : undefined,
  };
};

/** Features of one kind, feature by feature of patient by patient; F = B·N or B·C. */
interface Facts {
  table: Tensor; // [F] int, row of the table
  feature: Tensor; // [F] int, row of the bias
  factor: Tensor; // [F, 1] what the table's row counts: the number, or one; zero where unknown
  known: Tensor; // [F, 1] one, or zero where unknown
  own: Tensor; // [F] 0 … F-1
}

/** The known facts of B patients on the device. */
export interface PromptInputs {
  patients: number;
  numeric: Facts | undefined;
  categories: Facts | undefined;
  /**
   * [B·(N + C)] int, features by patient: each one's place among all numerical, then all categorical
   * features.
   */
  order: Tensor;
  /** [B·(N + C)] int, ascending: the row that each feature is added to. */
  place: Tensor;
  /** B · P */
  rows: number;
}

const upload = (
  ops: Ops,
  count: number,
  features: number,
  fact: (i: number, feature: number) => { row: number; factor: number; known: boolean },
): Facts | undefined => {
  if (features === 0) return undefined;
  const [table, feature] = [new Int32Array(count), new Int32Array(count)];
  const [factors, knowns] = [new Float32Array(count), new Float32Array(count)];
  for (let i = 0; i < count; i++) {
    feature[i] = i % features;
    const { row, factor, known } = fact(i, i % features);
    if (!known) continue;
    [table[i], factors[i], knowns[i]] = [row, factor, 1];
  }
  return {
    table: ops.uploadIndices(table),
    feature: ops.uploadIndices(feature),
    factor: ops.upload(factors, [count, 1]),
    known: ops.upload(knowns, [count, 1]),
    own: ops.uploadIndices(Int32Array.from(table.keys())),
  };
};

/**
 * Lays prompts out; belongs to the open scope. Throws RangeError for a level that the model does not have.
 */
export const promptInputs = (
  ops: Ops,
  architecture: PromptArchitecture,
  patients: number,
  { numeric, categories }: Prompts,
): PromptInputs => {
  const [n, levels] = [architecture.numeric, architecture.categories];
  const c = levels.length;
  if (numeric.length !== patients * n || categories.length !== patients * c)
    throw new RangeError(
      `prompts of ${patients} patients: ${numeric.length} numbers and ${categories.length} levels found, ` +
        `${patients * n} and ${patients * c} expected`,
    );
  const first = levels.map((_, i) => levels.slice(0, i).reduce((sum, count) => sum + count, 0));
  const level = (i: number, feature: number) => {
    const at = categories[i] as number;
    if (at >= (levels[feature] as number))
      throw new RangeError(`prompt feature ${feature} has ${levels[feature]} levels; level ${at} found`);
    return { row: (first[feature] as number) + at, factor: 1, known: at >= 0 };
  };
  const number = (i: number, feature: number) => {
    const value = numeric[i] as number;
    return { row: feature, factor: value, known: !Number.isNaN(value) };
  };
  const order = Int32Array.from({ length: patients * (n + c) }, (_, i) => {
    const [patient, feature] = [Math.floor(i / (n + c)), i % (n + c)];
    return feature < n ? patient * n + feature : patients * n + patient * c + feature - n;
  });
  const width = promptRows(architecture);
  const place = order.map(
    (_, i) => Math.floor(i / (n + c)) * width + Math.min(i % (n + c), Math.max(0, width - 1)),
  );
  return {
    patients,
    numeric: upload(ops, patients * n, n, number),
    categories: upload(ops, patients * c, c, level),
    order: ops.uploadIndices(order),
    place: ops.uploadIndices(place),
    rows: patients * width,
  };
};

/** What each kind of features was before W1. */
export interface PromptTrace {
  numeric: Tensor | undefined; // [B·N, D0]
  categories: Tensor | undefined; // [B·C, D0]
}

const hidden = (ops: Ops, { table, bias }: Featurizer, facts: Facts): Tensor =>
  ops.add(
    ops.multiply(ops.gather(table, facts.table), facts.factor),
    ops.multiply(ops.gather(bias, facts.feature), facts.known),
  );

/** Rows of all patients, [B·P, E]; nothing where the model has no prompts. */
export const promptForward = (
  ops: Ops,
  layer: PromptLayer,
  inputs: PromptInputs,
): { trace: PromptTrace; out: Tensor | undefined } => {
  const kind = (featurizer?: Featurizer, facts?: Facts) =>
    featurizer && facts && hidden(ops, featurizer, facts);
  const numeric = kind(layer.numeric, inputs.numeric);
  const categories = kind(layer.categories, inputs.categories);
  const rows = [
    ...(numeric && layer.numeric ? [ops.matMul(numeric, layer.numeric.project)] : []),
    ...(categories && layer.categories ? [ops.matMul(categories, layer.categories.project)] : []),
  ];
  const out =
    rows.length > 0
      ? ops.segmentSum(ops.concat(rows, 0), inputs.order, inputs.place, inputs.rows)
      : undefined;
  return { trace: { numeric, categories }, out };
};

const featurizerBackward = (
  pass: Gradients,
  { table, bias, project }: Featurizer,
  facts: Facts,
  hidden: Tensor,
  dy: Tensor,
): void => {
  const { ops } = pass;
  const d = ops.matMul(dy, project, { transposeB: true }); // [F, D0]
  deliver(pass, project, ops.matMul(hidden, dy, { transposeA: true }));
  const scatter = (variable: Variable, weights: Tensor, rows: Tensor) =>
    ops.segmentSumGradient(ops.multiply(d, weights), rows, facts.own, variable.shape[0] as number);
  deliver(pass, table, scatter(table, facts.factor, facts.table));
  deliver(pass, bias, scatter(bias, facts.known, facts.feature));
};

/** dy [B·P, E] → updates of the prompts' parameters */
export const promptBackward = (
  pass: Gradients,
  layer: PromptLayer,
  inputs: PromptInputs,
  trace: PromptTrace,
  dy: Tensor,
): void => {
  const { ops } = pass;
  const [, width] = dy.shape as [number, number];
  const [features] = inputs.order.shape as [number];
  const sorted = ops.segmentSumGradient(dy, inputs.order, inputs.place, features);
  let first = 0;
  for (const kind of ['numeric', 'categories'] as const) {
    const [featurizer, facts, h] = [layer[kind], inputs[kind], trace[kind]];
    if (!featurizer || !facts || !h) continue;
    const count = h.shape[0] as number;
    const part = ops.slice(sorted, [first, 0], [count, width]);
    featurizerBackward(pass, featurizer, facts, h, part);
    first += count;
  }
};
