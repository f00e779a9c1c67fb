/** Values paired by position. All three coefficients are null where they are undefined, never NaN. */
type Numbers = Float64Array;

/** Sum of `term(0) … term(n − 1)` with Neumaier's compensation: millions of tiny terms lose no digits. */
const sum = (n: number, term: (i: number) => number): number => {
  let total = 0;
  let lost = 0;
  for (let i = 0; i < n; i++) {
    const value = term(i);
    const next = total + value;
    lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
    total = next;
  }
  return total + lost;
};

const deviations = (values: Numbers): Numbers => {
  const mean = sum(values.length, (i) => values[i] as number) / values.length;
  return values.map((value) => value - mean);
};

const dot = (x: Numbers, y: Numbers): number => sum(x.length, (i) => (x[i] as number) * (y[i] as number));

/** True for none or one distinct value; compares values because a mean of equal floats need not equal them. */
export const isConstant = (values: Numbers): boolean => values.every((value) => value === values[0]);

/**
 * Coefficient of determination, 1 − Σ(observed − predicted)² / Σ(observed − mean)². Not a squared
 * correlation: not symmetric, and below 0 when the mean would predict better. Null when `observed` is constant.
 */
export const r2 = (observed: Numbers, predicted: Numbers): number | null => {
  if (isConstant(observed)) return null;
  const residual = observed.map((value, i) => value - (predicted[i] as number));
  const total = deviations(observed);
  return 1 - dot(residual, residual) / dot(total, total);
};

/** Linear correlation; null when either side is constant. */
export const pearson = (x: Numbers, y: Numbers): number | null => {
  if (isConstant(x) || isConstant(y)) return null;
  const dx = deviations(x);
  const dy = deviations(y);
  return Math.max(-1, Math.min(1, dot(dx, dy) / Math.sqrt(dot(dx, dx) * dot(dy, dy))));
};

/** Ranks from 1; equal values share the mean of their ranks. */
export const averageRanks = (values: Numbers): Numbers => {
  const sorted = Float64Array.from(values).sort();
  const distinct = new Float64Array(values.length);
  const ranks = new Float64Array(values.length);
  let found = 0;
  for (let start = 0; start < sorted.length; ) {
    let end = start + 1;
    while (end < sorted.length && sorted[end] === sorted[start]) end++;
    distinct[found] = sorted[start] as number;
    ranks[found++] = (start + 1 + end) / 2;
    start = end;
  }
  return values.map((value) => {
    let low = 0;
    for (let high = found - 1; low < high; ) {
      const middle = (low + high) >> 1;
      if ((distinct[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    return ranks[low] as number;
  });
};

/** Rank correlation with ties averaged; null when either side is constant. */
export const spearman = (x: Numbers, y: Numbers): number | null => pearson(averageRanks(x), averageRanks(y));
