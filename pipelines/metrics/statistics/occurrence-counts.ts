import { patientCount, type VisitColumns } from '../../patients/visit-columns.ts';
import { eachCode, type Keys, type Postings, postingSize, postingsOf } from './postings.ts';

/** How often each key occurs in one cohort. */
export interface SideCounts {
  /** Once per visit (or pair of adjacent visits) it is in; repeats inside a visit count again. */
  occurrences: Uint32Array;
  /** Patients who have it at all. */
  patients: Uint32Array;
}

/** Counts over the union of the keys of two cohorts, in ascending order of the keys; all equally long. */
export interface OccurrenceCounts {
  /** The token, or the first of the pair. */
  first: Int32Array;
  /** The second of the pair; 0 for single codes. */
  second: Int32Array;
  real: SideCounts;
  synthetic: SideCounts;
}

/** A column that grows. */
const longer = <T extends Int32Array | Uint32Array>(from: T, into: T): T => {
  into.set(from);
  return into;
};

const sideOf = (size: number): SideCounts => ({
  occurrences: new Uint32Array(size),
  patients: new Uint32Array(size),
});

const longerSide = ({ occurrences, patients }: SideCounts, size: number): SideCounts => ({
  occurrences: longer(occurrences, new Uint32Array(size)),
  patients: longer(patients, new Uint32Array(size)),
});

/** Counts of keys in columns that grow, without an object per key. */
class Rows {
  #first = new Int32Array(1024);
  #second = new Int32Array(1024);
  #real = sideOf(1024);
  #synthetic = sideOf(1024);
  #size = 0;

  /** Makes room for `more` rows. */
  reserve(more: number): void {
    const room = this.#first.length;
    if (this.#size + more <= room) return;
    const wanted = Math.max(this.#size + more, 2 * room);
    this.#first = longer(this.#first, new Int32Array(wanted));
    this.#second = longer(this.#second, new Int32Array(wanted));
    this.#real = longerSide(this.#real, wanted);
    this.#synthetic = longerSide(this.#synthetic, wanted);
  }

  /** Takes the counts of `second` over, where there is room. */
  push(first: number, second: number, real: SideCounts, synthetic: SideCounts): void {
    const row = this.#size++;
    this.#first[row] = first;
    this.#second[row] = second;
    this.#real.occurrences[row] = real.occurrences[second] as number;
    this.#real.patients[row] = real.patients[second] as number;
    this.#synthetic.occurrences[row] = synthetic.occurrences[second] as number;
    this.#synthetic.patients[row] = synthetic.patients[second] as number;
    real.occurrences[second] = 0;
    real.patients[second] = 0;
    synthetic.occurrences[second] = 0;
    synthetic.patients[second] = 0;
  }

  taken(): OccurrenceCounts {
    const side = ({ occurrences, patients }: SideCounts) => ({
      occurrences: occurrences.subarray(0, this.#size),
      patients: patients.subarray(0, this.#size),
    });
    return {
      first: this.#first.subarray(0, this.#size),
      second: this.#second.subarray(0, this.#size),
      real: side(this.#real),
      synthetic: side(this.#synthetic),
    };
  }
}

/** What the partners of one first token have been counted to, over both sides; small enough for the cache. */
class Partners {
  readonly real: SideCounts;
  readonly synthetic: SideCounts;
  /** The patient who had each partner last; no patient is on both sides. */
  readonly last: Int32Array;
  /** A bit per token that was met, so that partners come out in order without being sorted. */
  readonly met: Int32Array;

  constructor(tokens: number) {
    this.real = sideOf(tokens);
    this.synthetic = sideOf(tokens);
    this.last = new Int32Array(tokens);
    this.met = new Int32Array((tokens >>> 5) + 1);
  }

  /** Moves the counts of all partners to rows, and forgets them. */
  moveTo(rows: Rows, first: number): void {
    const { met, last } = this;
    for (let word = 0; word < met.length; word++) {
      let bits = met[word] as number;
      if (bits === 0) continue;
      rows.reserve(32);
      for (; bits !== 0; bits &= bits - 1) {
        const second = word * 32 + 31 - Math.clz32(bits & -bits);
        rows.push(first, second, this.real, this.synthetic);
        last[second] = 0;
      }
      met[word] = 0;
    }
  }
}

/** Counts all partners of `token` on one side, whose patients are numbered from `from`. */
const countPartners = (
  { offsets, records, codes }: Postings,
  token: number,
  { occurrences, patients }: SideCounts,
  { last, met }: Partners,
  from: number,
): void => {
  const end = (offsets[token + 1] as number) * postingSize;
  for (let at = (offsets[token] as number) * postingSize; at < end; at += postingSize) {
    const to = records[at + 1] as number;
    const patient = (records[at + 2] as number) + from;
    for (let i = records[at] as number; i < to; i++) {
      const partner = codes[i] as number;
      occurrences[partner] = (occurrences[partner] as number) + 1;
      if (last[partner] === patient) continue;
      last[partner] = patient;
      patients[partner] = (patients[partner] as number) + 1;
      met[partner >>> 5] = (met[partner >>> 5] as number) | (1 << (partner & 31));
    }
  }
};

const countPairs = (
  real: VisitColumns,
  synthetic: VisitColumns,
  tokens: number,
  keys: Exclude<Keys, 'codes'>,
): OccurrenceCounts => {
  const theirs = postingsOf(real, tokens, keys);
  const ours = postingsOf(synthetic, tokens, keys);
  const partners = new Partners(tokens);
  const rows = new Rows();
  for (let first = 0; first < tokens; first++) {
    // Patients are numbered from 1: 0 is no patient.
    countPartners(theirs, first, partners.real, partners, 1);
    countPartners(ours, first, partners.synthetic, partners, 1 + patientCount(real));
    partners.moveTo(rows, first);
  }
  return rows.taken();
};

const codeCounts = (columns: VisitColumns, tokens: number): SideCounts => {
  const occurrences = new Uint32Array(tokens);
  const patients = new Uint32Array(tokens);
  const last = new Int32Array(tokens).fill(-1);
  eachCode(columns, (token, patient) => {
    occurrences[token] = (occurrences[token] as number) + 1;
    if (last[token] !== patient) patients[token] = (patients[token] as number) + 1;
    last[token] = patient;
  });
  return { occurrences, patients };
};

const countCodes = (real: VisitColumns, synthetic: VisitColumns, tokens: number): OccurrenceCounts => {
  const sides = { real: codeCounts(real, tokens), synthetic: codeCounts(synthetic, tokens) };
  const present = (token: number) =>
    (sides.real.occurrences[token] as number) + (sides.synthetic.occurrences[token] as number) > 0;
  const first = Int32Array.from([...Array(tokens).keys()].filter(present));
  const chosen = (counts: Uint32Array) => Uint32Array.from(first, (token) => counts[token] as number);
  const side = ({ occurrences, patients }: SideCounts) => ({
    occurrences: chosen(occurrences),
    patients: chosen(patients),
  });
  return {
    first,
    second: new Int32Array(first.length),
    real: side(sides.real),
    synthetic: side(sides.synthetic),
  };
};

/** One more than the greatest token of the cohorts. */
const tokensOf = (cohorts: readonly Pick<VisitColumns, 'codes'>[]): number => {
  let greatest = -1;
  for (const { codes } of cohorts)
    for (let i = 0; i < codes.length; i++) greatest = Math.max(greatest, codes[i] as number);
  return greatest + 1;
};

/**
 * Counts keys in two cohorts. Pairs are counted first token by first token, over an inverted index: every
 * pair costs one touch of an array that fits the cache, and memory grows with the distinct keys only.
 */
export const countOccurrences = (
  real: VisitColumns,
  synthetic: VisitColumns,
  keys: Keys,
): OccurrenceCounts => {
  const tokens = tokensOf([real, synthetic]);
  return keys === 'codes' ? countCodes(real, synthetic, tokens) : countPairs(real, synthetic, tokens, keys);
};
