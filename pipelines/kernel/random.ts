/**
 * Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy
 * as 1, 2, 3; SC 2011). A draw is a pure function of (seed, purpose, counter), so there is no state to save,
 * and a patient's draws depend neither on the batch nor on the order nor on the worker.
 */

/** Streams that never meet, even under one seed. */
const purposes = {
  weights: 1,
  order: 2,
  patients: 3,
  attack: 4,
  bootstrap: 5,
  corruption: 6,
  dropout: 8,
  values: 7,
  imputation: 9,
  exports: 10,
} as const;
type Purpose = keyof typeof purposes;

const multiplierA = 0xd2511f53;
const multiplierB = 0xcd9e8d57;
const weylA = 0x9e3779b9;
const weylB = 0xbb67ae85;

/** High 32 bits of the 64-bit product of two unsigned 32-bit integers. */
const multiplyHigh = (a: number, b: number): number => {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carried = aLow * bHigh + (middle & 0xffff);
  // `middle` and `carried` may pass 2^32 by a few bits: divide, do not shift.
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carried / 65536)) | 0;
};

/** Ten rounds over `block` (four words, in place) under a two-word key. */
export const philox = (block: Uint32Array, keyA: number, keyB: number): void => {
  let a = block[0] as number;
  let b = block[1] as number;
  let c = block[2] as number;
  let d = block[3] as number;
  for (let round = 0; round < 10; round++) {
    const highA = multiplyHigh(multiplierA, a);
    const highB = multiplyHigh(multiplierB, c);
    const lowA = Math.imul(multiplierA, a);
    const lowB = Math.imul(multiplierB, c);
    a = (highB ^ b ^ keyA) >>> 0;
    b = lowB >>> 0;
    c = (highA ^ d ^ keyB) >>> 0;
    d = lowA >>> 0;
    keyA = (keyA + weylA) | 0;
    keyB = (keyB + weylB) | 0;
  }
  block[0] = a;
  block[1] = b;
  block[2] = c;
  block[3] = d;
};

/** The random numbers of one seed and purpose, addressed by up to three counters each below 2^32. */
export class RandomSource {
  readonly #keyA: number;
  readonly #keyB: number;
  readonly #block = new Uint32Array(4);

  /** `seed` is a non-negative safe integer; all its 53 bits count. */
  constructor(seed: number, purpose: Purpose) {
    this.#keyA = seed >>> 0;
    this.#keyB = (Math.floor(seed / 2 ** 32) ^ (purposes[purpose] << 24)) >>> 0;
  }

  /** Two uniforms in [0, 1) of 53 bits each are at every `pair`; `out` takes those of pairs from/2 … to/2. */
  fill(out: Float64Array, from: number, to: number, major: number, minor = 0): void {
    const block = this.#block;
    for (let pair = from >>> 1; pair * 2 < to; pair++) {
      block[0] = pair;
      block[1] = minor;
      block[2] = major;
      block[3] = Math.floor(major / 2 ** 32);
      philox(block, this.#keyA, this.#keyB);
      const at = pair * 2 - from;
      if (at >= 0) out[at] = unit(block[0] as number, block[1] as number);
      if (pair * 2 + 1 < to) out[at + 1] = unit(block[2] as number, block[3] as number);
    }
  }

  /**
   * 32 random bits at every `word`, four words to a counter; `out` takes those from `from`, which four
   * divides.
   */
  words(out: Uint32Array, from: number, major: number, minor = 0): void {
    const block = this.#block;
    for (let at = 0; at < out.length; at += 4) {
      block[0] = (from + at) >>> 2;
      block[1] = minor;
      block[2] = major;
      block[3] = Math.floor(major / 2 ** 32);
      philox(block, this.#keyA, this.#keyB);
      for (let i = 0; i < 4 && at + i < out.length; i++) out[at + i] = block[i] as number;
    }
  }

  /** A permutation of 0 … size-1, the `index`-th of this source (Fisher–Yates). */
  permutation(size: number, index: number): Int32Array {
    const order = Int32Array.from({ length: size }, (_, i) => i);
    const draws = new Float64Array(size);
    this.fill(draws, 0, size, index);
    for (let last = size - 1; last > 0; last--) {
      const chosen = Math.floor((draws[last] as number) * (last + 1));
      const kept = order[last] as number;
      order[last] = order[chosen] as number;
      order[chosen] = kept;
    }
    return order;
  }
}

/**
 * The uniforms of one address, one after the other, for uses that do not know in advance how many they need.
 */
export class UniformStream {
  readonly #source: RandomSource;
  readonly #major: number;
  readonly #minor: number;
  readonly #chunk = new Float64Array(16);
  #taken = 0;

  constructor(source: RandomSource, major: number, minor = 0) {
    this.#source = source;
    this.#major = major;
    this.#minor = minor;
  }

  next(): number {
    const at = this.#taken % this.#chunk.length;
    if (at === 0)
      this.#source.fill(this.#chunk, this.#taken, this.#taken + this.#chunk.length, this.#major, this.#minor);
    this.#taken++;
    return this.#chunk[at] as number;
  }
  /** A whole number from 0 to `count - 1`. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }
  /** The items in another order (Fisher–Yates). */
  shuffled<T>(items: readonly T[]): T[] {
    const order = [...items];
    for (let last = order.length - 1; last > 0; last--) {
      const chosen = this.below(last + 1);
      [order[last], order[chosen]] = [order[chosen] as T, order[last] as T];
    }
    return order;
  }
}

/** 53 random bits as a number in [0, 1). */
const unit = (high: number, low: number): number =>
  ((high >>> 5) * 67108864 + (low >>> 6)) / 9007199254740992;
