/** How the sequences of G groups lie in packed rows; the same steps for all groups, R rows each. */
export interface LstmRows {
  groups: number;
  /** Sequences per group. */
  slots: number;
  /** Rows of each step: as many as the group with most sequences of that length needs. */
  sizes: number[];
  /** Row at which each step begins. */
  offsets: number[];
  /** Rows per group: the sum of `sizes`. */
  rows: number;
  /**
   * [G·R] the row that holds the same sequence read backwards; its own inverse. Padding stays where it is.
   */
  flip: Int32Array;
  /** [G·slots] row of each sequence's last element, counted over all groups. */
  last: Int32Array;
}

/**
 * Lays out sequences of the given `lengths` [G·slots], falling inside each group. A slot of length 0 is
 * padding and gets one row. Rows beyond a sequence's end come after it, so they never reach it.
 */
export const layRows = (lengths: Int32Array, groups: number): LstmRows => {
  const slots = lengths.length / groups;
  const longest = lengths.reduce((most, length) => Math.max(most, length), 1);
  const sizes = [slots];
  for (let t = 1; t < longest; t++) {
    let most = 0;
    for (let group = 0; group < groups; group++) {
      let alive = 0;
      while (alive < slots && (lengths[group * slots + alive] as number) > t) alive++;
      most = Math.max(most, alive);
    }
    sizes.push(most);
  }
  const offsets = [0];
  for (const size of sizes) offsets.push((offsets.at(-1) as number) + size);
  const rows = offsets.pop() as number;
  const flip = Int32Array.from({ length: groups * rows }, (_, row) => row);
  const last = new Int32Array(groups * slots);
  for (let sequence = 0; sequence < last.length; sequence++) {
    const length = Math.max(1, lengths[sequence] as number);
    const base = Math.floor(sequence / slots) * rows + (sequence % slots);
    const at = (t: number) => base + (offsets[t] as number);
    for (let t = 0; t < length; t++) flip[at(t)] = at(length - 1 - t);
    last[sequence] = at(length - 1);
  }
  return { groups, slots, sizes, offsets, rows, flip, last };
};
