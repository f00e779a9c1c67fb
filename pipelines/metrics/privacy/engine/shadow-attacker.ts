import { RandomSource } from '../../../kernel/random.ts';
import type { AsyncSteps } from '../../../kernel/steps.ts';
import { adamRates } from '../../../nn/layers/adam.ts';
import { type Linear, linear, linearBackward, type Update } from '../../../nn/layers/layers.ts';
import { openOps } from '../../../nn/ops/open-ops.ts';
import type { Ops, Tensor } from '../../../nn/ops/ops.ts';
import type { FeatureTable } from './shadow-features.ts';

export interface AttackerTraining {
  seed: number;
  /** Width of its two inner layers. */
  width: number;
  learningRate: number;
  /** Each on all patients at once. */
  updates: number;
}

/** Farther from the mean than this many standard deviations is all the same to the attacker. */
const farthest = 8;

const rowsOf = ({ width, values }: FeatureTable): number => values.length / width;

/** Puts tables on the scale of `fitted`: mean 0, standard deviation 1; what is missing becomes the mean. */
const scaling = (fitted: FeatureTable) => {
  const { width, values } = fitted;
  const [means, deviations] = [new Float64Array(width), new Float64Array(width).fill(1)];
  for (let column = 0; column < width; column++) {
    const known = values.filter((value, i) => i % width === column && !Number.isNaN(value));
    if (known.length === 0) continue;
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    const variance = known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length;
    means[column] = mean;
    if (variance > 1e-12) deviations[column] = Math.sqrt(variance);
  }
  return ({ values: raw }: FeatureTable): Float32Array =>
    Float32Array.from(raw, (value, i) => {
      const scaled = (value - (means[i % width] as number)) / (deviations[i % width] as number);
      return Number.isNaN(scaled) ? 0 : Math.max(-farthest, Math.min(farthest, scaled));
    });
};

const openLayers = (ops: Ops, widths: readonly number[], seed: number): Linear[] => {
  const source = new RandomSource(seed, 'weights');
  return widths.slice(1).map((outputs, depth) => {
    const inputs = widths[depth] as number;
    const make = (name: string, shape: number[], tensor: number) => {
      const units = new Float64Array(shape.reduce((product, size) => product * size, 1));
      source.fill(units, 0, units.length, 2 ** 34, tensor);
      const value = Float32Array.from(units, (unit) => (2 * unit - 1) / Math.sqrt(inputs));
      return ops.variable(`${name}.${depth}`, shape, { value });
    };
    return {
      weight: make('weight', [inputs, outputs], 2 * depth),
      bias: make('bias', [outputs], 2 * depth + 1),
    };
  });
};

/** What goes into each layer, and the log odds that come out of the last. */
const forward = (ops: Ops, layers: readonly Linear[], x: Tensor): Tensor[] => {
  const trace = [x];
  for (const [depth, layer] of layers.entries()) {
    const out = linear(ops, layer, trace[depth] as Tensor);
    trace.push(depth === layers.length - 1 ? out : ops.relu(out));
  }
  return trace;
};

/** What the attacker learns from: patients that the generator made, and real ones it has not seen. */
export interface AttackerLesson {
  synthetic: FeatureTable;
  reference: FeatureTable;
}

/**
 * PromptEHR's attack model (sections 3.6 and 4.1): a three-layer perceptron that learns to distinguish
 * synthetic patients from real ones by their features. Gives the log odds of "trained on" for each patient of
 * the tables in `asked`.
 */
export async function* attackerScores(
  { synthetic, reference }: AttackerLesson,
  asked: readonly FeatureTable[],
  options: AttackerTraining,
): AsyncSteps<Float64Array[]> {
  const { width } = synthetic;
  const both = { width, values: Float64Array.from([...synthetic.values, ...reference.values]) };
  const scaled = scaling(both);
  const rows = rowsOf(both);
  const targets = new Float32Array(rows).fill(1, 0, rowsOf(synthetic));
  const ops = await openOps();
  try {
    const layers = openLayers(ops, [width, options.width, options.width, 1], options.seed);
    const inputs = scaled(both);
    for (let step = 1; step <= options.updates; step++) {
      ops.scope(() => {
        const trace = forward(ops, layers, ops.upload(inputs, [rows, width]));
        const rates = adamRates(step, options.learningRate);
        const update: Update = (parameter, given) => ops.adam(parameter, given, rates);
        const off = ops.subtract(ops.sigmoid(trace.at(-1) as Tensor), ops.upload(targets, [rows, 1]));
        let gradient = ops.scale(off, 1 / rows);
        for (let depth = layers.length - 1; depth >= 0; depth--) {
          const input = trace[depth] as Tensor;
          const below = linearBackward({ ops, update }, layers[depth] as Linear, input, gradient);
          if (depth > 0) gradient = ops.reluGradient(below, input);
        }
      });
      yield { step, of: options.updates };
    }
    return asked.map((table) =>
      ops.scope(() => {
        const trace = forward(ops, layers, ops.upload(scaled(table), [rowsOf(table), width]));
        return Float64Array.from(ops.download(trace.at(-1) as Tensor));
      }),
    );
  } finally {
    ops.dispose();
  }
}
