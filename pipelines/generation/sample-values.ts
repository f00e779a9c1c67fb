import type { Bucket, Vocabulary } from '../../schemas/vocabulary.ts';
import { RandomSource } from '../kernel/random.ts';
import { keepTokens, patientCount, type VisitColumns } from '../patients/visit-columns.ts';

/** What drawing numbers changed in a cohort. */
export interface DrawnValues {
  columns: VisitColumns;
  /** Tokens taken away: second ranges of one lab test in a visit, second gaps, and gaps before a first visit. */
  removed: Record<'labs' | 'gaps' | 'firstGaps', number>;
}

const none = -1;

/**
 * Per token, the things of which a visit has at most one: the ranges of one lab test, with the token that says that it
 * gave no number, are a group; so are those of the gap. -1: not in a group.
 */
export const exclusiveGroups = ({ codes }: Vocabulary): Int32Array => {
  const groups = new Map<string, number>();
  const nameOf = ({ modality, code }: Vocabulary['codes'][number]) => `${modality}:${code}`;
  for (const code of codes)
    if (code.bucket && !groups.has(nameOf(code))) groups.set(nameOf(code), groups.size);
  return Int32Array.from(codes, (code) => groups.get(nameOf(code)) ?? none);
};

/** A number of the bucket, each of those that its precision can write equally likely; `unit` in [0, 1). */
export const numberIn = ({ low, high, decimals }: Bucket, unit: number): number => {
  if (decimals === undefined) return low + unit * (high - low);
  const scale = 10 ** decimals;
  const first = Math.round(low * scale);
  const steps = Math.max(1, Math.round(high * scale) - first);
  return (first + Math.floor(unit * steps)) / scale;
};

/** Which of a visit's tokens stay: all without a group, and one of each group, drawn among those that are there. */
class VisitDraw {
  readonly removed: DrawnValues['removed'] = { labs: 0, gaps: 0, firstGaps: 0 };
  readonly #codes: Vocabulary['codes'];
  readonly #groups: Int32Array;
  readonly #random: RandomSource;
  #uniforms = new Float64Array(64);
  /** Tokens of the visit by group. */
  readonly #members = new Map<number, number[]>();

  constructor(vocabulary: Vocabulary, seed: number) {
    this.#codes = vocabulary.codes;
    this.#groups = exclusiveGroups(vocabulary);
    this.#random = new RandomSource(seed, 'values');
  }

  /** The number of each token that stays, NaN where it is no bucket, in the order of the tokens. */
  draw(tokens: Int32Array, patient: number, visit: number): Map<number, number> {
    const members = this.#gather(tokens, visit === 0);
    const wanted = 2 * members.size;
    if (this.#uniforms.length < wanted) this.#uniforms = new Float64Array(2 * wanted);
    this.#random.fill(this.#uniforms, 0, wanted, patient, visit);
    const kept = new Map<number, number>();
    let at = 0;
    for (const own of members.values()) {
      const chosen = own[Math.floor((this.#uniforms[at] as number) * own.length)] as number;
      const bucket = this.#codes[chosen]?.bucket;
      kept.set(chosen, bucket ? numberIn(bucket, this.#uniforms[at + 1] as number) : Number.NaN);
      this.removed[this.#isGap(chosen) ? 'gaps' : 'labs'] += own.length - 1;
      at += 2;
    }
    return kept;
  }

  /** Whether a visit may have the token whatever else it has. */
  isFree(token: number): boolean {
    return this.#groups[token] === none;
  }

  #isGap(token: number): boolean {
    return this.#codes[token]?.modality === 'gap';
  }

  #gather(tokens: Int32Array, isFirst: boolean): Map<number, number[]> {
    this.#members.clear();
    for (const token of tokens) {
      const group = this.#groups[token] as number;
      if (group === none) continue;
      if (isFirst && this.#isGap(token)) {
        this.removed.firstGaps++;
        continue;
      }
      const own = this.#members.get(group);
      if (own) own.push(token);
      else this.#members.set(group, [token]);
    }
    return this.#members;
  }
}

/**
 * Numbers for the bucket tokens of a cohort that a model drew: uniform inside the bucket. Where it drew two ranges of one
 * lab test, or two gaps, in a visit, one of them is drawn to stay, each with equal chance; a gap before a first visit
 * goes. Patient i's numbers depend on the seed and on i alone. Without buckets the cohort comes back as it is.
 */
export const drawValues = (columns: VisitColumns, vocabulary: Vocabulary, seed: number): DrawnValues => {
  const visitDraw = new VisitDraw(vocabulary, seed);
  const { removed } = visitDraw;
  if (!vocabulary.codes.some(({ bucket }) => bucket)) return { columns, removed };
  const { visitOffsets, codeOffsets, codes } = columns;
  const keep = new Uint8Array(codes.length).fill(1);
  const values = new Float32Array(codes.length).fill(Number.NaN);
  for (let patient = 0; patient < patientCount(columns); patient++) {
    const first = visitOffsets[patient] as number;
    for (let visit = first; visit < (visitOffsets[patient + 1] as number); visit++) {
      const [from, to] = [codeOffsets[visit] as number, codeOffsets[visit + 1] as number];
      const drawn = visitDraw.draw(codes.subarray(from, to), patient, visit - first);
      for (let i = from; i < to; i++) {
        const value = drawn.get(codes[i] as number);
        if (value !== undefined) values[i] = value;
        else if (!visitDraw.isFree(codes[i] as number)) keep[i] = 0;
      }
    }
  }
  return { columns: keepTokens({ ...columns, values }, keep), removed };
};
