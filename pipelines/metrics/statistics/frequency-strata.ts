/** Where the ranks are cut, as shares of the keys that the real cohort has at all. */
export interface Cuts {
  /** The most frequent keys up to this share of the ranks are the head. */
  head: number;
  /** From there up to this share is the torso; what is left is rare. */
  torso: number;
}

export const strata = ['head', 'torso', 'rare'] as const;
export type Stratum = (typeof strata)[number];

/** Least count a key must have to be among the first `most` ranks together with all that tie with it. */
const leastCount = (keysWith: Uint32Array, most: number): number => {
  let taken = 0;
  for (let count = keysWith.length - 1; count > 0; count--) {
    taken += keysWith[count] as number;
    if (taken > most) return count + 1;
  }
  return 1;
};

/**
 * The stratum of each key (an index into `strata`) by how many real patients have it. Keys that tie are never
 * parted: a group that does not fit above a cut goes below it. Keys that only synthetic patients have are
 * rare.
 */
export const stratify = (patients: Uint32Array, cuts: Cuts): Uint8Array => {
  const keysWith = new Uint32Array(patients.reduce((most, count) => Math.max(most, count), 0) + 1);
  for (const count of patients) keysWith[count] = (keysWith[count] as number) + 1;
  const present = patients.length - (keysWith[0] as number);
  const head = leastCount(keysWith, cuts.head * present);
  const torso = leastCount(keysWith, cuts.torso * present);
  const found = new Uint8Array(patients.length);
  for (let key = 0; key < found.length; key++) {
    const count = patients[key] as number;
    found[key] = count >= head ? 0 : count >= torso ? 1 : 2;
  }
  return found;
};
