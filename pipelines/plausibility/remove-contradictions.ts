import { StageError } from '../../schemas/errors.ts';
import type { Vocabulary } from '../../schemas/vocabulary.ts';
import {
  codeRange,
  keepTokens,
  patientCount,
  type Range,
  recordRange,
  type VisitColumns,
  visitRange,
} from '../patients/visit-columns.ts';
import { type CodeRules, setBits, usesIcd9 } from './code-rules.ts';
import { adultFrom, ageOf, newbornUntil, sexOf } from './sex-and-age.ts';

/**
 * The rules about sex and age; the others of `code-rules.yaml` are counted by the metric and left
 * alone.
 */
const removingRules = ['both-sexes', 'newborn-adult', 'born-later'] as const;
type RemovingRule = (typeof removingRules)[number];

/** What a rule took away. */
interface Removal {
  patients: number;
  codes: number;
}

interface Cleared {
  columns: VisitColumns;
  /** By rule; a code that two rules take away counts for the first. */
  removed: Record<RemovingRule, Removal>;
  /** Visits that lost their last code; they stay, as visits without a code. */
  emptied: number;
}

/** Marks what the rules take away, patient by patient. */
class Clearing {
  readonly removed: Cleared['removed'] = {
    'both-sexes': { patients: 0, codes: 0 },
    'newborn-adult': { patients: 0, codes: 0 },
    'born-later': { patients: 0, codes: 0 },
  };
  /** 0 for each entry of `codes` that goes. */
  readonly keep: Uint8Array;
  readonly #columns: VisitColumns;
  readonly #bits: Int32Array;
  readonly #bitOf: (set: string) => number;

  constructor(columns: VisitColumns, rules: CodeRules, vocabulary: Vocabulary) {
    this.#columns = columns;
    this.keep = new Uint8Array(columns.codes.length).fill(1);
    this.#bits = setBits(rules, vocabulary);
    const order = Object.keys(rules.sets);
    this.#bitOf = (set) => 1 << order.indexOf(set);
  }

  clear(patient: number): void {
    const [first, end] = visitRange(this.#columns, patient);
    const record = recordRange(this.#columns, patient);
    this.#remove('both-sexes', this.#ofOtherSex(patient, record));
    const age = ageOf(this.#columns, patient);
    const wrong: number[][] = [];
    const later: number[][] = [];
    for (let visit = first; visit < end; visit++) {
      const span = codeRange(this.#columns, visit);
      const isFirst = visit === first;
      if (!isFirst) later.push(this.#entries(span, 'born'));
      wrong.push(this.#ofOtherAge(span, record, isFirst, age));
    }
    this.#remove('newborn-adult', wrong.flat());
    this.#remove('born-later', later.flat());
  }

  /** Entries that stay so far and are in a set. */
  #entries([from, to]: Range, set: string): number[] {
    const bit = this.#bitOf(set);
    const found: number[] = [];
    for (let i = from; i < to; i++)
      if (this.keep[i] === 1 && ((this.#bits[this.#columns.codes[i] as number] as number) & bit) !== 0)
        found.push(i);
    return found;
  }

  #ofOtherSex(patient: number, record: Range): number[] {
    const own = { male: this.#entries(record, 'male'), female: this.#entries(record, 'female') };
    const sex = sexOf(this.#columns, patient);
    if (sex) return own[sex === 'male' ? 'female' : 'male'];
    if (own.male.length === 0 || own.female.length === 0) return [];
    if (own.male.length !== own.female.length)
      return own.male.length < own.female.length ? own.male : own.female;
    // As many of both: what comes first in the record decides.
    return (own.male[0] as number) < (own.female[0] as number) ? own.female : own.male;
  }

  #ofOtherAge(visit: Range, record: Range, isFirst: boolean, age: number | undefined): number[] {
    const [newborn, adult] = [this.#entries(visit, 'newborn'), this.#entries(visit, 'adult')];
    if (age !== undefined && age >= newbornUntil) return newborn;
    // The age at a later visit is not known.
    if (age !== undefined && isFirst && age < adultFrom) return adult;
    if (newborn.length === 0 || adult.length === 0) return [];
    if (newborn.length !== adult.length) return newborn.length < adult.length ? newborn : adult;
    const [all, grown] = [this.#entries(record, 'newborn'), this.#entries(record, 'adult')];
    return all.length > grown.length ? adult : newborn;
  }

  #remove(rule: RemovingRule, entries: readonly number[]): void {
    const fresh = entries.filter((i) => this.keep[i] === 1);
    if (fresh.length === 0) return;
    for (const i of fresh) this.keep[i] = 0;
    this.removed[rule].patients++;
    this.removed[rule].codes += fresh.length;
  }
}

const withCodes = ({ codeOffsets }: VisitColumns): number =>
  codeOffsets.subarray(1).filter((end, visit) => end > (codeOffsets[visit] as number)).length;

/**
 * Takes away the codes that contradict a patient's sex or age. Sex and age are those that the generator
 * sampled; where it samples none, most of the codes decide, as the plausibility metric judges by codes alone.
 * Labels stay. Throws InvalidConfig where the codes do not look like ICD-9-CM, which is what the rules are
 * written in.
 */
export const removeContradictions = (
  columns: VisitColumns,
  vocabulary: Vocabulary,
  rules: CodeRules,
): Cleared => {
  if (!usesIcd9(vocabulary))
    throw new StageError(
      'InvalidConfig',
      'generate.rules: the rules are about ICD-9-CM codes without dots, and the codes of this vocabulary do not look ' +
        'like them; set it to off',
    );
  const clearing = new Clearing(columns, rules, vocabulary);
  for (let patient = 0; patient < patientCount(columns); patient++) clearing.clear(patient);
  const { removed, keep } = clearing;
  const cleared = keepTokens(columns, keep);
  return { columns: cleared, removed, emptied: withCodes(columns) - withCodes(cleared) };
};
