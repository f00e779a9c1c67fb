import { RandomSource, UniformStream } from '../../../kernel/random.ts';
import type { Steps } from '../../../kernel/steps.ts';
import {
  codesOfPatient,
  patientCount,
  selectPatients,
  type VisitColumns,
  visitsOf,
} from '../../../patients/visit-columns.ts';
import { type PrivacyCohorts, sample, tooFewPatients, withCodes } from '../../statistics/samples.ts';
import { noRisk, type ResidualRisk, residualRisk, type Tried } from './residual-risk.ts';

interface SinglingOutOptions {
  seed: number;
  replicates: number;
  /** Most predicates; each is made of another synthetic patient. */
  predicates: number;
  /** A predicate goes on until so many patients of the synthetic cohort's size are expected to fulfil it. */
  weight: number;
}

/** What is claimed to be true of exactly one person. */
interface Predicate {
  /** The person has all of these codes, in whichever visits. */
  codes: number[];
  /** … and so many visits; absent: however many. */
  visits?: number;
}

/** Patients by code, and codes by patient. */
class Cohort {
  readonly size: number;
  readonly codes: Set<number>[] = [];
  readonly visits: number[] = [];
  readonly patientsOf = new Map<number, number[]>();

  constructor(columns: VisitColumns) {
    this.size = patientCount(columns);
    for (let patient = 0; patient < this.size; patient++) {
      const codes = new Set(codesOfPatient(columns, patient));
      this.codes.push(codes);
      this.visits.push(visitsOf(columns, patient));
      for (const code of codes) {
        const patients = this.patientsOf.get(code);
        if (patients) patients.push(patient);
        else this.patientsOf.set(code, [patient]);
      }
    }
  }

  share(code: number): number {
    return (this.patientsOf.get(code)?.length ?? 0) / this.size;
  }

  /** Whether exactly one patient fulfils it. */
  singlesOut({ codes, visits }: Predicate): boolean {
    const lists = codes.map((code) => this.patientsOf.get(code) ?? []);
    const shortest = lists.reduce((least, list) => (list.length < least.length ? list : least));
    let found = 0;
    for (const patient of shortest) {
      if (visits !== undefined && this.visits[patient] !== visits) continue;
      const own = this.codes[patient] as Set<number>;
      if (codes.every((code) => own.has(code)) && ++found > 1) return false;
    }
    return found === 1;
  }
}

/** Patients with different records: a cohort that holds every record twice hides nothing from an attacker. */
const unalike = (columns: VisitColumns): number[] => {
  const seen = new Set<string>();
  const kept: number[] = [];
  for (let patient = 0; patient < patientCount(columns); patient++) {
    const codes = [...new Set(codesOfPatient(columns, patient))].sort((a, b) => a - b);
    const key = `${visitsOf(columns, patient)}|${codes.join()}`;
    if (seen.has(key)) continue;
    seen.add(key);
    kept.push(patient);
  }
  return kept;
};

/**
 * Codes of a synthetic patient in random order, as many as it takes until the predicate is true of nobody
 * else in the synthetic cohort, and rare enough that chance seldom makes it true of exactly one person
 * elsewhere; then the number of visits. Undefined where the record has too little for that.
 */
const predicateOf = (
  cohort: Cohort,
  patient: number,
  source: RandomSource,
  weight: number,
): Predicate | undefined => {
  const stream = new UniformStream(source, patient, 1);
  const order = [...(cohort.codes[patient] as Set<number>)]
    .sort((a, b) => a - b)
    .map((code) => ({ code, at: stream.next() }))
    .sort((a, b) => a.at - b.at);
  const codes: number[] = [];
  let expected = cohort.size;
  for (const { code } of order) {
    codes.push(code);
    expected *= cohort.share(code);
    if (expected <= weight && cohort.singlesOut({ codes })) return { codes };
  }
  const visits = cohort.visits[patient] as number;
  expected *= cohort.visits.filter((count) => count === visits).length / cohort.size;
  const whole = { codes, visits };
  return expected <= weight && cohort.singlesOut(whole) ? whole : undefined;
};

/** As many codes, each drawn by how many synthetic patients have it, whoever they are. */
const guessed = (
  { codes }: Predicate,
  pool: Int32Array,
  distinct: number,
  stream: UniformStream,
): Predicate => {
  const drawn = new Set<number>();
  while (drawn.size < Math.min(codes.length, distinct))
    drawn.add(pool[Math.floor(stream.next() * pool.length)] as number);
  return { codes: [...drawn] };
};

/**
 * Singling out (Article 29 Working Party, Opinion 05/2014; Giomi et al., PoPETs 2023, section 5.1): the
 * attacker makes predicates that single out one synthetic patient, and claims that each is true of exactly
 * one training patient. Control: of exactly one holdout patient. Predicates are so rare that success grows in
 * proportion to the number of patients (Cohen and Nissim, PNAS 2020), by which the control is scaled.
 */
export function* singlingOut(cohorts: PrivacyCohorts, options: SinglingOutOptions): Steps<ResidualRisk> {
  const { seed, replicates, predicates, weight } = options;
  const made = withCodes(cohorts.synthetic);
  const note = tooFewPatients({ train: cohorts.train, test: cohorts.test, synthetic: made });
  if (note) return noRisk(note);
  const size = patientCount(cohorts.train);
  const test = sample(cohorts.test, size, seed, 'test');
  const [real, others] = [new Cohort(cohorts.train), new Cohort(test)];
  const kept = unalike(made);
  const synthetic = new Cohort(selectPatients(made, kept));
  const pool = Int32Array.from([...synthetic.codes].flatMap((codes) => [...codes]));
  const source = new RandomSource(seed, 'attack');
  const guesses = new UniformStream(source, 0, 2);
  const tried = { attack: 0, control: 0, baseline: 0 };
  let attacks = 0;
  for (const patient of source.permutation(synthetic.size, 3)) {
    if (attacks === predicates) break;
    const predicate = predicateOf(synthetic, patient, source, weight);
    if (!predicate) continue;
    attacks++;
    tried.attack += Number(real.singlesOut(predicate));
    tried.control += Number(others.singlesOut(predicate));
    tried.baseline += Number(real.singlesOut(guessed(predicate, pool, synthetic.patientsOf.size, guesses)));
    if (attacks % 256 === 0) yield { step: attacks, of: Math.min(predicates, synthetic.size) };
  }
  if (attacks === 0)
    return noRisk('no synthetic patient can be singled out by a predicate that is rare enough');
  const of = (successes: number): Tried => ({ successes, attacks });
  return residualRisk(
    { attack: of(tried.attack), control: of(tried.control), baseline: of(tried.baseline) },
    { replicates, scale: size / patientCount(test) },
  );
}
