/**
 * ln of the number of ways to choose k of n, for n up to `most`; −∞ where there is none. Factorials by
 * addition.
 */
export const logChooser = (most: number): ((n: number, k: number) => number) => {
  const logs = new Float64Array(most + 1);
  for (let i = 1; i < logs.length; i++) logs[i] = (logs[i - 1] as number) + Math.log(i);
  return (n, k) =>
    k < 0 || k > n
      ? Number.NEGATIVE_INFINITY
      : (logs[n] as number) - (logs[k] as number) - (logs[n - k] as number);
};

/**
 * Fisher's exact test (JRSS 98, 1935), one-sided: the probability that at least `count` of `of` have a
 * property that `count + other` of all `of + otherOf` have, if both groups have it equally often. For many
 * tests, `choose` may come from one `logChooser` for the largest `of + otherOf`.
 */
export const fisherExcess = (
  count: number,
  of: number,
  other: number,
  otherOf: number,
  choose = logChooser(of + otherOf),
): number => {
  const [total, all] = [count + other, of + otherOf];
  let p = 0;
  for (let k = Math.min(total, of); k >= Math.max(count, total - otherOf); k--)
    p += Math.exp(choose(of, k) + choose(otherOf, total - k) - choose(all, total));
  return Math.min(1, p);
};
