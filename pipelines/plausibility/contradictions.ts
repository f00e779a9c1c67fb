import {
  codeRange,
  patientCount,
  type VisitColumns,
  visitCount,
  visitRange,
} from '../patients/visit-columns.ts';
import type { CodeRule, CodeRules } from './code-rules.ts';
import { adultFrom, ageOf, newbornUntil, type Sex, sexOf } from './sex-and-age.ts';

/** What a rule finds in one cohort; patients ascending. */
export interface Found {
  /** Patients with a code that the rule is about. */
  concerned: Int32Array;
  /** 1 for each of them who contradicts it. */
  contradicts: Uint8Array;
}

/** Sets that occur in each visit, as bits. */
const visitBits = (columns: VisitColumns, bitsOf: Int32Array): Int32Array => {
  const bits = new Int32Array(visitCount(columns));
  for (let visit = 0; visit < bits.length; visit++) {
    const [from, to] = codeRange(columns, visit);
    let own = 0;
    for (let i = from; i < to; i++) own |= bitsOf[columns.codes[i] as number] ?? 0;
    bits[visit] = own;
  }
  return bits;
};

/** What rules compare codes with, beside other codes; undefined where it is not known. */
interface Person {
  sex: Sex | undefined;
  age: number | undefined;
}

/** Whether a rule can be held against a patient at all. */
const isKnown = ({ kind }: CodeRule, { sex, age }: Person): boolean =>
  kind === 'other-sex' ? sex !== undefined : kind === 'other-age' ? age !== undefined : true;

/** Whether the visits of one patient, in order and each given by its bits, contradict a rule. */
const contradiction = (
  rule: CodeRule,
  bits: readonly number[],
): ((visits: Int32Array, person: Person) => boolean) => {
  const [first = 0, second = 0] = bits;
  const has = (visit: number, set: number) => (visit & set) !== 0;
  switch (rule.kind) {
    case 'together':
      return rule.within === 'visit'
        ? (visits) => visits.some((visit) => has(visit, first) && has(visit, second))
        : (visits) => [first, second].every((set) => visits.some((visit) => has(visit, set)));
    case 'first-visit-only':
      return (visits) => visits.some((visit, i) => i > 0 && has(visit, first));
    case 'last-visit-only':
      return (visits) => visits.subarray(0, -1).some((visit) => has(visit, first));
    case 'never-after':
      return (visits) => {
        const from = visits.findIndex((visit) => has(visit, first));
        return from >= 0 && visits.subarray(from + 1).some((visit) => has(visit, second));
      };
    case 'once':
      return (visits) => bits.some((set) => visits.filter((visit) => has(visit, set)).length > 1);
    case 'other-sex':
      return (visits, { sex }) => visits.some((visit) => has(visit, sex === 'female' ? first : second));
    case 'other-age':
      return (visits, { age = adultFrom }) =>
        (age >= newbornUntil && visits.some((visit) => has(visit, first))) ||
        // The age at a later visit is not known.
        (age < adultFrom && has(visits[0] ?? 0, second));
  }
};

/**
 * The patients who contradict each rule, in the order of the rules. `bitsOf` are the sets of each token. The
 * rules about sex and age concern patients of whom these are known.
 */
export const contradictions = (
  columns: VisitColumns,
  { sets, rules }: CodeRules,
  bitsOf: Int32Array,
): Found[] => {
  const bits = visitBits(columns, bitsOf);
  const order = Object.keys(sets);
  const ofPatient = (p: number) => bits.subarray(...visitRange(columns, p));
  const patients = Int32Array.from({ length: patientCount(columns) }, (_, p) => p);
  const people = Array.from(patients, (p): Person => ({ sex: sexOf(columns, p), age: ageOf(columns, p) }));
  return rules.map((rule) => {
    const own = rule.sets.map((name) => 1 << order.indexOf(name));
    const any = own.reduce((all, set) => all | set, 0);
    const isContradiction = contradiction(rule, own);
    const concerned = patients.filter(
      (p) => isKnown(rule, people[p] as Person) && ofPatient(p).some((visit) => (visit & any) !== 0),
    );
    return {
      concerned,
      contradicts: Uint8Array.from(concerned, (p) =>
        isContradiction(ofPatient(p), people[p] as Person) ? 1 : 0,
      ),
    };
  });
};
