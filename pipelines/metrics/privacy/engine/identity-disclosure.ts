import { phase, type Steps } from '../../../kernel/steps.ts';
import {
  codesOfPatient,
  labelsOfPatient,
  patientCount,
  type VisitColumns,
  visitsOf,
} from '../../../patients/visit-columns.ts';
import { bootstrapIntervals, certainShareInterval, type Interval } from '../../statistics/bootstrap.ts';
import { type Measure, measured, missing } from '../../statistics/measure.ts';
import { type PrivacyCohorts, tooFewPatients } from '../../statistics/samples.ts';

/**
 * Above this a release of health data is commonly held too risky (El Emam et al. 2020; EMA, Health Canada).
 */
export const identityRiskThreshold = 0.09;

export interface IdentityOptions {
  seed: number;
  replicates: number;
  /** What the attacker knows beside labels and visit count: whether a patient has each of these codes. */
  knownCodes?: readonly number[];
  /** Share of the population that the training cohort is; 1: the attacker knows that the target is in it. */
  samplingFraction?: number;
  /** The least share of a patient's rare codes that a match must show for something to be learned. */
  learnedShare?: number;
}

interface IdentityResult {
  risk: Measure;
  /** The same with test patients in the place of synthetic ones: what releasing other people's data shows. */
  reference: Measure;
  /** `risk` below the threshold; null where there is no risk to compare. */
  acceptable: boolean | null;
}

/** Pairs compared between two safe points. */
const pairsPerStep = 2 ** 21;

interface Records {
  /** Patients by what the attacker knows of them. */
  byKey: Map<string, number[]>;
  /** Distinct codes that the attacker does not know. */
  hidden: Int32Array[];
}

function describe(columns: VisitColumns, known: ReadonlySet<number>): Records {
  const count = patientCount(columns);
  const records: Records = { byKey: new Map(), hidden: [] };
  for (let p = 0; p < count; p++) {
    const codes = new Set(codesOfPatient(columns, p));
    const labels = labelsOfPatient(columns, p).join('');
    const seen = [...known].filter((code) => codes.has(code)).join(',');
    const key = `${visitsOf(columns, p)}|${labels}|${seen}`;
    const alike = records.byKey.get(key);
    if (alike) alike.push(p);
    else records.byKey.set(key, [p]);
    records.hidden.push(Int32Array.from(codes).filter((code) => !known.has(code)));
  }
  return records;
}

/** Codes that fewer than half of the patients have: finding one in a match is news. */
function rareCodes(records: Records): Set<number> {
  const patients = new Map<number, number>();
  for (const codes of records.hidden)
    for (const code of codes) patients.set(code, (patients.get(code) ?? 0) + 1);
  const half = records.hidden.length / 2;
  return new Set([...patients].filter(([, count]) => count < half).map(([code]) => code));
}

/** Share of `candidates` from whom one would learn enough about the patient with these rare codes. */
function teachers(rare: Int32Array, candidates: readonly number[], other: Records, least: number): number {
  const wanted = new Set(rare);
  let teaching = 0;
  for (const candidate of candidates) {
    let shared = 0;
    for (const code of other.hidden[candidate] as Int32Array) if (wanted.has(code)) shared++;
    if (shared > 0 && shared >= least * rare.length) teaching++;
  }
  return teaching / candidates.length;
}

/** Per training patient, the probability of being matched correctly and of disclosing something: I·R / f. */
function* exposures(train: Records, other: Records, least: number): Steps<Float64Array> {
  const news = rareCodes(train);
  const exposed = new Float64Array(train.hidden.length);
  let pairs = 0;
  let done = 0;
  for (const [key, alike] of train.byKey) {
    const candidates = other.byKey.get(key) ?? [];
    for (const patient of candidates.length > 0 ? alike : []) {
      const rare = (train.hidden[patient] as Int32Array).filter((code) => news.has(code));
      exposed[patient] = teachers(rare, candidates, other, least) / alike.length;
      pairs += candidates.length;
    }
    done += alike.length;
    if (pairs < pairsPerStep) continue;
    pairs = 0;
    yield { step: done, of: exposed.length };
  }
  return exposed;
}

/**
 * Meaningful identity disclosure (El Emam, Mosquera, Bass: J Med Internet Res 2020;22(11):e23139): the
 * probability that a record is matched to the right person on what an attacker knows, and that the match
 * reveals something new. The risk is the larger of the attack from population to sample, (1/N) Σ I·R/f, and
 * from sample to population, (1/n) Σ I·R/F; with F estimated as f over the sampling fraction they are the
 * same number. The papers of HALO and PromptEHR do not define it.
 */
export function* identityDisclosure(
  cohorts: PrivacyCohorts,
  options: IdentityOptions,
): Steps<IdentityResult> {
  const note = tooFewPatients(cohorts);
  if (note) return { risk: missing(note), reference: missing(note), acceptable: null };
  const known = new Set(options.knownCodes ?? []);
  const least = options.learnedShare ?? 0.05;
  const train = describe(cohorts.train, known);
  const against = (other: VisitColumns) => exposures(train, describe(other, known), least);
  const exposed = yield* phase('synthetic', 0, 2, against(cohorts.synthetic));
  const expected = yield* phase('reference', 1, 2, against(cohorts.test));
  const n = exposed.length;
  const fraction = options.samplingFraction ?? 1;
  const risks = (counts?: Int32Array) =>
    [exposed, expected].map(
      (values) =>
        (fraction / n) *
        values.reduce((sum, value, p) => sum + value * (counts ? (counts[p] as number) : 1), 0),
    );
  const intervals = bootstrapIntervals({ ...options, sizes: [n], statistics: ([drawn]) => risks(drawn) });
  // A risk of 0 is a share of no patient: the interval then shows how many such patients could be unobserved.
  const certain = (value: number): Interval | undefined => {
    const ends = options.replicates > 0 ? certainShareInterval(value / fraction, n) : undefined;
    return ends && [ends[0] * fraction, ends[1] * fraction];
  };
  const [risk, reference] = risks().map((value, i) => measured(value, n, certain(value) ?? intervals[i])) as [
    Measure,
    Measure,
  ];
  if (patientCount(cohorts.test) !== patientCount(cohorts.synthetic))
    reference.note = `${patientCount(cohorts.test)} test patients are compared with ${patientCount(cohorts.synthetic)} synthetic ones: the fewer are released, the fewer match`;
  return { risk, reference, acceptable: (risk.value as number) < identityRiskThreshold };
}
