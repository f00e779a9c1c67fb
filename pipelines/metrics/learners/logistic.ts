/**
 * Logistic regression with a quadratic penalty on sparse 0/1 rows, by Newton's method whose linear systems
 * conjugate gradients solve roughly (Lin, Weng, Keerthi: Trust region Newton method for logistic regression,
 * JMLR 2008; with a line search in the place of the trust region). No random draw: same rows, same weights.
 */
import type { FeatureRows } from './patient-features.ts';

/** Weights of the columns, and the one of every row last. */
export type LogisticWeights = Float64Array;

export interface LogisticTask {
  features: FeatureRows;
  /** Rows to learn from, and 0 or 1 for every row of the matrix. */
  rows: Int32Array;
  targets: Uint8Array;
  /** Strength of the penalty ½·λ‖w‖²; scikit-learn's default C = 1 is 1. The intercept goes free. */
  penalty: number;
}

/** Log odds of one row. */
export const logOdds = (
  { offsets, columns, count }: FeatureRows,
  row: number,
  weights: LogisticWeights,
): number => {
  let sum = weights[count] as number;
  for (let at = offsets[row] as number; at < (offsets[row + 1] as number); at++)
    sum += weights[columns[at] as number] as number;
  return sum;
};

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
};

/** out += factor · x */
const addTo = (out: Float64Array, x: Float64Array, factor: number): void => {
  for (let i = 0; i < out.length; i++) out[i] = (out[i] as number) + factor * (x[i] as number);
};

/** The penalized sum of losses with its gradient, and the curvature of each row. */
class Objective {
  readonly #task: LogisticTask;

  constructor(task: LogisticTask) {
    this.#task = task;
  }

  value(weights: LogisticWeights): number {
    const { features, rows, targets, penalty } = this.#task;
    let sum = 0;
    for (const row of rows) {
      const z = (targets[row] === 1 ? -1 : 1) * logOdds(features, row, weights);
      sum += Math.max(0, z) + Math.log1p(Math.exp(-Math.abs(z)));
    }
    const intercept = weights[features.count] as number;
    return sum + (penalty / 2) * (dot(weights, weights) - intercept ** 2);
  }

  /** Σ factor(row) · row + λ · x: a gradient, or a product with the matrix of second derivatives. */
  #gather(factor: (row: number, index: number) => number, x: Float64Array): Float64Array {
    const { features, rows, penalty } = this.#task;
    const { offsets, columns, count } = features;
    const out = x.map((value) => penalty * value);
    out[count] = 0;
    for (const [index, row] of rows.entries()) {
      const by = factor(row, index);
      for (let at = offsets[row] as number; at < (offsets[row + 1] as number); at++) {
        const column = columns[at] as number;
        out[column] = (out[column] as number) + by;
      }
      out[count] = (out[count] as number) + by;
    }
    return out;
  }

  slope(weights: LogisticWeights): { gradient: Float64Array; curvature: Float64Array } {
    const { features, rows, targets } = this.#task;
    const curvature = new Float64Array(rows.length);
    const gradient = this.#gather((row, index) => {
      const odds = 1 / (1 + Math.exp(-logOdds(features, row, weights)));
      curvature[index] = odds * (1 - odds);
      return odds - (targets[row] as number);
    }, weights);
    return { gradient, curvature };
  }

  curve(curvature: Float64Array, x: Float64Array): Float64Array {
    return this.#gather(
      (row, index) => (curvature[index] as number) * logOdds(this.#task.features, row, x),
      x,
    );
  }
}

/** A direction that goes down: conjugate gradients until the residual is a tenth of the gradient. */
const newtonDirection = (
  objective: Objective,
  gradient: Float64Array,
  curvature: Float64Array,
): Float64Array => {
  const direction = new Float64Array(gradient.length);
  const residual = gradient.map((value) => -value);
  let search = residual.slice();
  let size = dot(residual, residual);
  const enough = size * 0.01;
  for (let round = 0; round < 30 && size > enough; round++) {
    const curved = objective.curve(curvature, search);
    const length = size / dot(search, curved);
    addTo(direction, search, length);
    addTo(residual, curved, -length);
    const next = dot(residual, residual);
    const keep = next / size;
    search = search.map((value, i) => (residual[i] as number) + keep * value);
    size = next;
  }
  return direction;
};

/**
 * Fits by at most 20 Newton steps; ends when the gradient is a hundredth of the first: the ranking is settled
 * by then.
 */
export const fitLogistic = (task: LogisticTask): LogisticWeights => {
  const objective = new Objective(task);
  const weights = new Float64Array(task.features.count + 1);
  let value = objective.value(weights);
  let first = 0;
  for (let round = 0; round < 20; round++) {
    const { gradient, curvature } = objective.slope(weights);
    const size = Math.sqrt(dot(gradient, gradient));
    first ||= size;
    if (size <= first * 1e-2) break;
    const direction = newtonDirection(objective, gradient, curvature);
    const descent = dot(gradient, direction);
    let length = 1;
    for (; length > 1e-6; length /= 2) {
      const tried = weights.slice();
      addTo(tried, direction, length);
      const reached = objective.value(tried);
      if (reached > value + 1e-4 * length * descent) continue;
      weights.set(tried);
      value = reached;
      break;
    }
    if (length <= 1e-6) break;
  }
  return weights;
};
