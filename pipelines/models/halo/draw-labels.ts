/**
 * Labels of patients of whom some labels are asked for. The model draws labels in their order, so what comes first does
 * not know what is asked for later; drawn like that, records would have the asked labels but the wrong other ones. Here
 * the others follow their distribution given the asked ones, by sampling-importance resampling (Rubin, 1987): candidates
 * are drawn in order with the asked labels forced, weighted by how likely the model found these, and one is picked. All
 * patients share the history of the start token, hence one small network, on our side. L labels, E embedding.
 */
import { drawnLabel } from '../../generator.ts';
import type { RandomSource } from '../../random.ts';
import { layoutOf } from './architecture.ts';
import { packSets } from './batch.ts';
import type { HaloNetwork } from './network.ts';

/** The head's rows and columns of the labels, after the start token, while no label is present. */
export interface LabelNetwork {
  logits: Float32Array; // [L]
  /** Sums before the relu of the hidden units at the labels' columns. */
  sums: Float32Array; // [L]
  labelsToUnits: Float32Array; // [L, L] triangular
  unitsToLogits: Float32Array; // [L, L] strictly triangular
}

/** Candidates per patient. The picked one is exact in the limit; at 256 the error is far below that of a cohort's size. */
const candidates = 256;

/** Draws of candidates are addressed where no position of a record is. */
const candidateStream = 2 ** 31;
const choiceStream = 2 ** 31 + candidates;

/** Cells [row, row + size) × [column, column + size) of a tensor of the reference, put together from our parts. */
const square = (
  { ops, parts, variable }: Pick<HaloNetwork, 'ops' | 'parts'> & { variable: HaloNetwork['variable'] },
  reference: string,
  row: number,
  column: number,
  size: number,
): Float32Array => {
  const cells = new Float32Array(size * size);
  for (const part of parts.filter((candidate) => candidate.reference === reference)) {
    const [height, width] = part.shape as [number, number];
    const [top, left] = [Math.max(row, part.row), Math.max(column, part.column)];
    const rows = Math.min(row + size, part.row + height) - top;
    const columns = Math.min(column + size, part.column + width) - left;
    if (rows <= 0 || columns <= 0) continue;
    const cut = ops.scope(() =>
      ops.download(ops.slice(variable(part.name), [top - part.row, left - part.column], [rows, columns])),
    );
    for (let r = 0; r < rows; r++)
      cells.set(cut.subarray(r * columns, (r + 1) * columns), (top - row + r) * size + left - column);
  }
  return cells;
};

/** Takes the labels' part out of a network. */
export const labelNetworkOf = async (network: HaloNetwork): Promise<LabelNetwork> => {
  const { ops, architecture, head } = network;
  const { embedding } = architecture;
  const { codes, labels, start } = layoutOf(architecture);
  const batch = packSets([[[start], []]]);
  const all = await network.logits(batch);
  const history = await network.histories(batch); // [1, E]
  const sums = ops.scope(() => {
    const toUnits = ops.slice(head.historyToCodes, [0, codes], [embedding, labels]);
    const bias = ops.slice(head.hiddenBias, [embedding + codes], [labels]);
    return ops.download(ops.add(ops.matMul(ops.upload(history, [1, embedding]), toUnits), bias));
  });
  const variable = (name: string) => network.variable(name);
  const cut = (layer: 1 | 2, column: number) =>
    square(
      { ops, parts: network.parts, variable },
      `ehr_head.auto${layer}.weight`,
      embedding + codes,
      column,
      labels,
    );
  return {
    logits: all.slice(codes, codes + labels),
    sums,
    labelsToUnits: cut(1, embedding + codes),
    unitsToLogits: cut(2, embedding - 1 + codes),
  };
};

/** What label `label` being present does to the sums of the units from it on, and these to the logits after it. */
const setLabel = (
  { labelsToUnits, unitsToLogits }: LabelNetwork,
  logits: Float32Array,
  sums: Float32Array,
  label: number,
): void => {
  const count = logits.length;
  for (let unit = label; unit < count; unit++) {
    const before = sums[unit] as number;
    const after = before + (labelsToUnits[label * count + unit] as number);
    sums[unit] = after;
    const change = Math.max(after, 0) - Math.max(before, 0);
    if (change === 0) continue;
    for (let later = unit + 1; later < count; later++)
      logits[later] = (logits[later] as number) + change * (unitsToLogits[unit * count + later] as number);
  }
};

/** ln σ(x) */
const logSigmoid = (x: number): number => -Math.max(-x, 0) - Math.log1p(Math.exp(-Math.abs(x)));

/** Fills `labels` in the model's order, those asked for as asked; gives ln probability of the asked ones. */
const drawCandidate = (
  network: LabelNetwork,
  given: Uint8Array,
  uniforms: Float64Array,
  labels: Uint8Array,
): number => {
  const logits = network.logits.slice();
  const sums = network.sums.slice();
  let weight = 0;
  for (let label = 0; label < given.length; label++) {
    const logit = logits[label] as number;
    const asked = given[label] as number;
    if (asked === drawnLabel)
      labels[label] = (uniforms[label] as number) < 1 / (1 + Math.exp(-logit)) ? 1 : 0;
    else {
      labels[label] = asked;
      weight += logSigmoid(asked === 1 ? logit : -logit);
    }
    if (labels[label] === 1) setLabel(network, logits, sums, label);
  }
  return weight;
};

/** All labels of one patient, given some of them: 0, 1, or `drawnLabel` where the model is to say. */
export const drawLabels = (
  network: LabelNetwork,
  given: Uint8Array,
  random: RandomSource,
  patient: number,
): Uint8Array => {
  const drawn = Array.from({ length: candidates }, () => new Uint8Array(given.length));
  const uniforms = new Float64Array(given.length);
  const weights = drawn.map((labels, candidate) => {
    random.fill(uniforms, 0, given.length, patient, candidateStream + candidate);
    return drawCandidate(network, given, uniforms, labels);
  });
  const most = weights.reduce((a, b) => Math.max(a, b));
  const shares = weights.map((weight) => Math.exp(weight - most));
  const choice = new Float64Array(2);
  random.fill(choice, 0, 1, patient, choiceStream);
  let left = (choice[0] as number) * shares.reduce((a, b) => a + b);
  const picked = shares.findIndex((share) => {
    left -= share;
    return left < 0;
  });
  return drawn[picked === -1 ? candidates - 1 : picked] as Uint8Array;
};
