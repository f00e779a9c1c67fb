/** How often each whole number occurs: `counts[value]`, over `n` values. */
export interface Histogram {
  counts: Float64Array;
  n: number;
}

/** Lengths of the ranges that an offsets array delimits, counted by length, each as often as its weight. */
export const lengthHistogram = (offsets: Int32Array, weights?: Int32Array): Histogram => {
  const ranges = offsets.length - 1;
  const length = (i: number) => (offsets[i + 1] as number) - (offsets[i] as number);
  let longest = 0;
  for (let i = 0; i < ranges; i++) longest = Math.max(longest, length(i));
  const counts = new Float64Array(longest + 1);
  let n = 0;
  for (let i = 0; i < ranges; i++) {
    const weight = weights ? (weights[i] as number) : 1;
    counts[length(i)] = (counts[length(i)] as number) + weight;
    n += weight;
  }
  return { counts, n };
};

/** Mean and population standard deviation (ddof 0), or null of nothing. */
export const moments = ({ counts, n }: Histogram): { mean: number; sd: number } | null => {
  if (n === 0) return null;
  const mean = counts.reduce((sum, count, value) => sum + count * value, 0) / n;
  const squares = counts.reduce((sum, count, value) => sum + count * (value - mean) ** 2, 0);
  return { mean, sd: Math.sqrt(squares / n) };
};

/**
 * Greatest gap between the two cumulative shares (Kolmogorov–Smirnov), and the area between them
 * (Wasserstein-1, in units of the value). Null when either side is empty.
 */
export const gaps = (a: Histogram, b: Histogram): { ks: number; wasserstein: number } | null => {
  if (a.n === 0 || b.n === 0) return null;
  let ks = 0;
  let wasserstein = 0;
  let belowA = 0;
  let belowB = 0;
  for (let value = 0; value < Math.max(a.counts.length, b.counts.length); value++) {
    belowA += a.counts[value] ?? 0;
    belowB += b.counts[value] ?? 0;
    const gap = Math.abs(belowA / a.n - belowB / b.n);
    ks = Math.max(ks, gap);
    wasserstein += gap;
  }
  return { ks, wasserstein };
};
