import {
  type VisitColumns,
  VisitColumnsBuilder,
  visitCount,
  visitRange,
} from '../../patients/visit-columns.ts';
import { fisherExcess, logChooser } from './exact-test.ts';
import { countOccurrences, type OccurrenceCounts } from './occurrence-counts.ts';
import { postingSize, postingsOf } from './postings.ts';

/** What real visits must show for two codes to make a rule. */
export interface RuleOptions {
  /** Training visits that independence would expect to break the rule, at least. */
  expected: number;
  /**
   * Of the training visits with the first code, those that have the second: this share or more, with 95 %
   * confidence.
   */
  share: number;
  /**
   * Training patients who have either code (never together), or both in a visit (always together), at least.
   */
  leastPatients: number;
}

/** Codes that need another one: those that token t needs are `codes[offsets[t] … offsets[t + 1] - 1]`. */
interface Companions {
  offsets: Int32Array;
  codes: Int32Array;
  /** Training patients who have both in one visit. */
  patients: Uint32Array;
}

/**
 * What training visits show of pairs of codes. No pair that never occurs is stored: a pair is one where both
 * codes have enough `visits` and that `together` has not, so memory grows with the pairs there are, not with
 * all that could be.
 */
export interface PairRules {
  /** `[tokens]` training visits with the code; 0 where fewer than `leastPatients` patients have it. */
  visits: Float64Array;
  /** `[tokens]` training patients with the code. */
  patients: Uint32Array;
  /** Training visits, also those without a code. */
  of: number;
  /**
   * `[tokens]` in how many visits another code must be for its absence beside this one to be no accident;
   * infinite where no number is enough.
   */
  leastPartner: Float64Array;
  /**
   * Pairs in a training visit, ascending; those of first token t are `second[offsets[t] … offsets[t + 1] -
   * 1]`.
   */
  together: { offsets: Int32Array; second: Int32Array };
  /** Pairs that are expected in enough training visits and are in none. */
  never: number;
  companions: Companions;
}

/**
 * The most of `n` visits that may lack the second code for at least `share` of such visits to have it with 95
 * % confidence: the largest k with P(Binomial(n, 1 − share) ≤ k) ≤ 0.05, the lower bound of Clopper and
 * Pearson (1934). −1 where n is too small even without one: below 59 visits for a share of 0.95.
 */
export const mostWithout = (n: number, share: number): number => {
  const odds = Math.log(1 - share) - Math.log(share);
  // In logs, as the first terms are below what a number can hold where n is in the ten thousands.
  let log = n * Math.log(share);
  let below = Math.exp(log);
  let k = -1;
  while (below <= 0.05 && k < n) {
    k++;
    log += Math.log((n - k) / (k + 1)) + odds;
    below += Math.exp(log);
  }
  return k;
};

/** Where the pairs of each first token begin; pairs are in ascending order of it. */
const offsetsByFirst = (first: Int32Array, tokens: number): Int32Array => {
  const offsets = new Int32Array(tokens + 1);
  for (let token = 0, at = 0; token < tokens; token++) {
    while (at < first.length && first[at] === token) at++;
    offsets[token + 1] = at;
  }
  return offsets;
};

/** Probability of an accident, over all pairs together (Bonferroni). */
const significance = 0.05;

/** What independence makes of counts of visits; `tests` pairs are looked at. */
class Independence {
  readonly #of: number;
  readonly #expected: number;
  readonly #least: number;
  readonly #choose: (n: number, k: number) => number;
  readonly #partners = new Map<number, number>();

  constructor(of: number, expected: number, tests: number) {
    this.#of = of;
    this.#expected = expected;
    this.#least = significance / Math.max(1, tests);
    this.#choose = logChooser(of);
  }

  /**
   * Whether codes in `a` and `b` visits would certainly share one: the hypergeometric probability of none.
   */
  #mustMeet(a: number, b: number): boolean {
    if (a * b < this.#expected * this.#of) return false;
    return this.#choose(this.#of - a, b) - this.#choose(this.#of, b) <= Math.log(this.#least);
  }

  /**
   * The fewest visits of a code that would certainly share one with a code in `own` visits; infinite: none.
   */
  leastPartner(own: number): number {
    const known = this.#partners.get(own);
    if (known !== undefined) return known;
    let [below, enough] = [0, this.#of];
    if (own === 0 || !this.#mustMeet(own, enough)) enough = Number.POSITIVE_INFINITY;
    else
      while (enough - below > 1) {
        const middle = (below + enough) >> 1;
        if (this.#mustMeet(own, middle)) enough = middle;
        else below = middle;
      }
    this.#partners.set(own, enough);
    return enough;
  }

  /**
   * Whether codes in `a` and `b` visits share so many that it is no accident, and others would be expected.
   */
  isMore(both: number, a: number, b: number): boolean {
    if (a * (this.#of - b) < this.#expected * this.#of) return false;
    return fisherExcess(both, a, b - both, this.#of - a, this.#choose) <= this.#least;
  }
}

/** Pairs of two different codes that must meet: two ends of the sorted codes move inwards. */
const pairsThatMustMeet = (visits: Float64Array, leastPartner: Float64Array): number => {
  const count = (token: number) => visits[token] as number;
  const ascending = [...visits.keys()]
    .filter((token) => count(token) > 0)
    .sort((a, b) => count(a) - count(b));
  let pairs = 0;
  for (let low = 0, high = ascending.length - 1; low < high; ) {
    const [rare, common] = [ascending[low] as number, ascending[high] as number];
    if (count(rare) >= (leastPartner[common] as number)) {
      pairs += high - low;
      high--;
    } else low++;
  }
  return pairs;
};

/**
 * Every ordered pair (a, b) of which nearly all training visits with a have b, and would not by independence.
 */
const companionsOf = (
  { first, second, real }: OccurrenceCounts,
  visits: Float64Array,
  independence: Independence,
  { share, leastPatients }: RuleOptions,
): Companions => {
  const allowed = new Map<number, number>();
  const mostFor = (n: number): number => {
    const most = allowed.get(n) ?? mostWithout(n, share);
    allowed.set(n, most);
    return most;
  };
  const found: [from: number, to: number, patients: number][] = [];
  for (let key = 0; key < first.length; key++) {
    const patients = real.patients[key] as number;
    const [a, b] = [first[key] as number, second[key] as number];
    if (patients < leastPatients || a === b) continue;
    const both = real.occurrences[key] as number;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const all = visits[from] as number;
      if (both < share * all || all - both > mostFor(all)) continue;
      if (independence.isMore(both, all, visits[to] as number)) found.push([from, to, patients]);
    }
  }
  found.sort(([a, b], [c, d]) => a - c || b - d);
  return {
    offsets: offsetsByFirst(
      Int32Array.from(found, ([from]) => from),
      visits.length,
    ),
    codes: Int32Array.from(found, ([, to]) => to),
    patients: Uint32Array.from(found, ([, , patients]) => patients),
  };
};

/**
 * Two kinds of pairs, of n codes that `leastPatients` or more have, by the visits v with each and V visits in
 * all:
 *
 * - never together: in no training visit, where v_a · v_b ÷ V ≥ `expected`;
 * - always together: visits with a have b with a probability of at least `share` (lower 95 % bound), where
 *   v_a · (V − v_b) ÷ V ≥ `expected`.
 *
 * Both where Fisher's exact test, one-sided, gives independence at most 0.05 ÷ (n (n − 1) ÷ 2).
 */
export const learnPairRules = (train: VisitColumns, tokens: number, options: RuleOptions): PairRules => {
  const noPatients = new VisitColumnsBuilder().build();
  const codes = countOccurrences(train, noPatients, 'codes');
  const visits = new Float64Array(tokens);
  const patients = new Uint32Array(tokens);
  for (let key = 0; key < codes.first.length; key++) {
    const token = codes.first[key] as number;
    patients[token] = codes.real.patients[key] as number;
    if ((patients[token] as number) >= options.leastPatients)
      visits[token] = codes.real.occurrences[key] as number;
  }
  const of = visitCount(train);
  const codesThere = visits.reduce((sum, count) => sum + Math.min(1, count), 0);
  const independence = new Independence(of, options.expected, (codesThere * (codesThere - 1)) / 2);
  const leastPartner = visits.map((count) => independence.leastPartner(count));
  const pairs = countOccurrences(train, noPatients, 'pairs');
  let seen = 0;
  for (let key = 0; key < pairs.first.length; key++) {
    const [a, b] = [pairs.first[key] as number, pairs.second[key] as number];
    if (a !== b && (visits[b] as number) >= (leastPartner[a] as number)) seen++;
  }
  return {
    visits,
    patients,
    of,
    leastPartner,
    together: { offsets: offsetsByFirst(pairs.first, tokens), second: pairs.second },
    never: pairsThatMustMeet(visits, leastPartner) - seen,
    companions: companionsOf(pairs, visits, independence, options),
  };
};

/** Cases by patient: `hits` of `of`. */
export interface Cases {
  hits: Int32Array;
  of: Int32Array;
}

/** A pair of codes and the visits in which it breaks its rule. */
interface BrokenPair {
  first: number;
  second: number;
  visits: number;
}

/** How a cohort keeps to rules. */
export interface PairFindings {
  /** Visits with a pair that training visits never have, of all visits. */
  never: Cases;
  /** Codes without their companion, of all that should have one: a visit counts once for each two. */
  missing: Cases;
  /** Visits in which a code lacks a companion, of those that have a code that should have one. */
  incomplete: Cases;
  neverPairs: BrokenPair[];
  missingPairs: BrokenPair[];
}

/** The visit of every position of `codes`. */
const visitOfPositions = ({ codeOffsets, codes }: VisitColumns): Int32Array => {
  const visits = new Int32Array(codes.length);
  for (let visit = 0; visit + 1 < codeOffsets.length; visit++)
    visits.fill(visit, codeOffsets[visit], codeOffsets[visit + 1]);
  return visits;
};

const mostListed = 1000;

/** The commonest of many, so that no list of all of them is kept. */
class Commonest {
  #pairs: BrokenPair[] = [];

  add(first: number, second: number, visits: number): void {
    this.#pairs.push({ first, second, visits });
    if (this.#pairs.length >= 2 * mostListed) this.#pairs = this.taken();
  }

  taken(): BrokenPair[] {
    return this.#pairs
      .sort((a, b) => b.visits - a.visits || a.first - b.first || a.second - b.second)
      .slice(0, mostListed);
  }
}

/** 1 for each visit that has a pair which training visits never have; and which pairs these are. */
const neverIn = (
  { visits, leastPartner, together, never }: PairRules,
  columns: VisitColumns,
): { flags: Uint8Array; pairs: BrokenPair[] } => {
  const flags = new Uint8Array(visitCount(columns));
  const pairs = new Commonest();
  if (never === 0) return { flags, pairs: [] };
  const { offsets, records, codes } = postingsOf(columns, visits.length, 'pairs');
  const visitOf = visitOfPositions(columns);
  const known = new Int32Array(visits.length).fill(-1);
  const counts = new Int32Array(visits.length);
  for (let first = 0; first < visits.length; first++) {
    const least = leastPartner[first] as number;
    if (least === Number.POSITIVE_INFINITY || offsets[first] === offsets[first + 1]) continue;
    known[first] = first;
    for (let i = together.offsets[first] as number; i < (together.offsets[first + 1] as number); i++)
      known[together.second[i] as number] = first;
    const met: number[] = [];
    const end = (offsets[first + 1] as number) * postingSize;
    for (let at = (offsets[first] as number) * postingSize; at < end; at += postingSize) {
      const from = records[at] as number;
      for (let i = from; i < (records[at + 1] as number); i++) {
        const second = codes[i] as number;
        if (known[second] === first || (visits[second] as number) < least) continue;
        flags[visitOf[from] as number] = 1;
        if (counts[second] === 0) met.push(second);
        counts[second] = (counts[second] as number) + 1;
      }
    }
    for (const second of met) {
      pairs.add(first, second, counts[second] as number);
      counts[second] = 0;
    }
  }
  return { flags, pairs: pairs.taken() };
};

/**
 * Every visit of a cohort held against the rules. Tokens must be those of the cohort that they were learned
 * from.
 */
export const findingsOf = (rules: PairRules, columns: VisitColumns): PairFindings => {
  const patients = columns.visitOffsets.length - 1;
  const cases = (): Cases => ({ hits: new Int32Array(patients), of: new Int32Array(patients) });
  const [never, missing, incomplete] = [cases(), cases(), cases()];
  const { flags, pairs } = neverIn(rules, columns);
  const { offsets, codes: companions } = rules.companions;
  const without = new Int32Array(companions.length);
  const stamps = new Int32Array(rules.visits.length).fill(-1);
  const add = ({ hits, of }: Cases, patient: number, hit: number, cases: number): void => {
    hits[patient] = (hits[patient] as number) + hit;
    of[patient] = (of[patient] as number) + cases;
  };
  for (let patient = 0; patient < patients; patient++) {
    const [firstVisit, endVisit] = visitRange(columns, patient);
    for (let visit = firstVisit; visit < endVisit; visit++) {
      const [from, to] = [columns.codeOffsets[visit] as number, columns.codeOffsets[visit + 1] as number];
      for (let i = from; i < to; i++) stamps[columns.codes[i] as number] = visit;
      let asked = 0;
      let lacking = 0;
      for (let i = from; i < to; i++) {
        const code = columns.codes[i] as number;
        for (let rule = offsets[code] as number; rule < (offsets[code + 1] as number); rule++) {
          asked++;
          if (stamps[companions[rule] as number] === visit) continue;
          lacking++;
          without[rule] = (without[rule] as number) + 1;
        }
      }
      add(never, patient, flags[visit] as number, 1);
      add(missing, patient, lacking, asked);
      add(incomplete, patient, Math.min(1, lacking), Math.min(1, asked));
    }
  }
  const missingPairs = new Commonest();
  for (let first = 0; first < rules.visits.length; first++)
    for (let rule = offsets[first] as number; rule < (offsets[first + 1] as number); rule++)
      if ((without[rule] as number) > 0)
        missingPairs.add(first, companions[rule] as number, without[rule] as number);
  return { never, missing, incomplete, neverPairs: pairs, missingPairs: missingPairs.taken() };
};
