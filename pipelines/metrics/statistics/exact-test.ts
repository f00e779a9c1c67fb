/** ln k! for k up to `most`, by addition. */
const logFactorials = (most: number): Float64Array => {
  const logs = new Float64Array(most + 1);
  for (let k = 2; k <= most; k++) logs[k] = (logs[k - 1] as number) + Math.log(k);
  return logs;
};

/**
 * Fisher's exact test (JRSS 98, 1935), one-sided: the probability that at least `count` of `of` have a
 * property that `count + other` of all `of + otherOf` have, if both groups have it equally often.
 */
export const fisherExcess = (count: number, of: number, other: number, otherOf: number): number => {
  const [total, all] = [count + other, of + otherOf];
  const logs = logFactorials(all);
  const choose = (n: number, k: number) =>
    (logs[n] as number) - (logs[k] as number) - (logs[n - k] as number);
  let p = 0;
  for (let k = Math.min(total, of); k >= Math.max(count, total - otherOf); k--)
    p += Math.exp(choose(of, k) + choose(otherOf, total - k) - choose(all, total));
  return Math.min(1, p);
};
