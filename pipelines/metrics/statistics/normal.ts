/**
 * Quantile of the standard normal distribution, for 0 < p < 1. Wichura, Algorithm AS 241 (Applied Statistics
 * 37, 1988), the routine PPND7: about seven digits.
 */
export const normalQuantile = (p: number): number => {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    const above = ((59.10937472 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179;
    const below = ((67.1875636 * r + 78.757757664) * r + 17.895169469) * r + 1;
    return (q * above) / below;
  }
  const r = Math.sqrt(-Math.log(q < 0 ? p : 1 - p));
  const tail = (s: number, [a, b, c, d]: readonly number[], [e, f]: readonly number[]): number =>
    ((((d as number) * s + (c as number)) * s + (b as number)) * s + (a as number)) /
    (((f as number) * s + (e as number)) * s + 1);
  const size =
    r <= 5
      ? tail(r - 1.6, [1.4234372777, 2.75681539, 1.3067284816, 0.17023821103], [0.7370016425, 0.12021132975])
      : tail(
          r - 5,
          [6.657905115, 3.081226386, 0.42868294337, 0.017337203997],
          [0.24197894225, 0.012258202635],
        );
  return q < 0 ? -size : size;
};

/**
 * A 95 % interval about a value, widened so that it holds for the largest of `tries` such values together
 * (Bonferroni), on the assumption that both its halves shrink and grow like those of a normal distribution;
 * cut at the ends of what is possible.
 */
export const widened = (
  value: number,
  [low, high]: readonly [number, number],
  tries: number,
  [least, greatest]: readonly [number, number],
): [number, number] => {
  const factor = normalQuantile(1 - 0.025 / tries) / normalQuantile(0.975);
  return [
    Math.max(least, value - factor * (value - low)),
    Math.min(greatest, value + factor * (high - value)),
  ];
};

/**
 * The 95 % interval of a − b from those of two numbers, as if they were independent: each end of the
 * difference is as far from it as the square root of the sum of squares of the two distances that lie that
 * way (MOVER: Zou and Donner, Statistics in Medicine 27, 2008, equation 4). Too wide where a and b rise and
 * fall together, as numbers about the same patients do, so it claims no difference too early.
 */
export const independentDifference = (
  a: { value: number; interval: readonly [number, number] },
  b: { value: number; interval: readonly [number, number] },
): [number, number] => {
  const difference = a.value - b.value;
  return [
    difference - Math.hypot(a.value - a.interval[0], b.interval[1] - b.value),
    difference + Math.hypot(a.interval[1] - a.value, b.value - b.interval[0]),
  ];
};

/**
 * Wilson's 95 % score interval (JASA 22, 1927) of a share of `n` patients; it has a width for every share.
 */
export const wilsonInterval = (share: number, n: number): [number, number] => {
  const z2 = normalQuantile(0.975) ** 2;
  const middle = (share + z2 / (2 * n)) / (1 + z2 / n);
  const half = Math.sqrt((z2 * share * (1 - share)) / n + (z2 / (2 * n)) ** 2) / (1 + z2 / n);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
};
