const mixed = (a: number, b: number): number => {
  let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
};

const grown = (array: Int32Array): Int32Array => {
  const longer = new Int32Array(array.length * 2);
  longer.set(array);
  return longer;
};

/**
 * Numbers ordered pairs of integers 0, 1, 2, … as they first appear: an open-addressing hash table on
 * typed arrays, at most half full. About 20 bytes a distinct pair, no object and no dense square.
 */
export class PairTable {
  /** Parts of pair i; only the first `size` entries mean anything. */
  first: Int32Array = new Int32Array(1024);
  second: Int32Array = new Int32Array(1024);
  size = 0;
  /** Pair number + 1, or 0 for an empty slot. */
  #slots: Int32Array = new Int32Array(2048);

  /** The number of pair (a, b), new or known. */
  index(a: number, b: number): number {
    const mask = this.#slots.length - 1;
    let slot = mixed(a, b) & mask;
    for (;;) {
      const entry = this.#slots[slot] as number;
      if (entry === 0) break;
      if (this.first[entry - 1] === a && this.second[entry - 1] === b) return entry - 1;
      slot = (slot + 1) & mask;
    }
    if (this.size === this.first.length) {
      this.#grow();
      return this.index(a, b);
    }
    this.first[this.size] = a;
    this.second[this.size] = b;
    this.#slots[slot] = ++this.size;
    return this.size - 1;
  }

  #grow(): void {
    this.first = grown(this.first);
    this.second = grown(this.second);
    this.#slots = new Int32Array(this.first.length * 2);
    const mask = this.#slots.length - 1;
    for (let i = 0; i < this.size; i++) {
      let slot = mixed(this.first[i] as number, this.second[i] as number) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = i + 1;
    }
  }
}
