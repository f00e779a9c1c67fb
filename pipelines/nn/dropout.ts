/**
 * Fills `out` with zero for a dropped unit and 1 / (1 − rate) for a kept one; `rate` to the nearest 1/256.
 * Bytes of sfc32 (Chris Doty-Humphrey, PractRand); three `seeds` in [0, 1) address them. A counter-based source
 * for every unit would take longer than the network.
 */
export const dropUnits = (out: Float32Array, seeds: Float64Array, rate: number): void => {
  let [a, b, c] = [0, 1, 2].map((i) => ((seeds[i] as number) * 2 ** 32) | 0) as [number, number, number];
  let counter = 1;
  let word = 0;
  const threshold = Math.round(rate * 256);
  const kept = 1 / (1 - rate);
  for (let i = -48; i < out.length; i++) {
    if ((i & 3) === 0) {
      word = (((a + b) | 0) + counter) | 0;
      counter = (counter + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + word) | 0;
    } else word >>>= 8;
    if (i >= 0) out[i] = (word & 255) < threshold ? 0 : kept;
  }
};
