import { StageError } from '../../../schemas/errors.ts';
import { RandomSource } from '../../kernel/random.ts';
import {
  codeRange,
  type Demographic,
  patientCount,
  type TokenCohort,
  visitCount,
  visitRange,
} from '../../patients/visit-columns.ts';

/**
 * First identifiers. MIMIC-III's end at 300,000 and MIMIC-IV's at 40,000,000; all of ours fit into 32 bits
 * with a sign. An identifier plus its position is the identifier of that patient, admission or ICU stay.
 */
export const firstIds = { subject: 1_500_000_001, admission: 1_700_000_001, icuStay: 1_900_000_001 } as const;
const idsOfAKind = 200_000_000;

const daySeconds = 86_400;
/** Seconds of the Gregorian mean year, as ages of a cohort are counted. */
const yearSeconds = 365.2425 * daySeconds;

const firstYears = { from: Date.UTC(2110, 0, 1) / 1000, to: Date.UTC(2180, 0, 1) / 1000 };
/** Days, log-uniform. */
const inventedGap = { least: 30, most: 730 };
const inventedStay = { least: 1, most: 14 };
/** Of the time to the next admission, so much may be a stay. */
const mostOfGap = 0.9;
const leastGapSeconds = 3600;
const inventedAge = { least: 18, most: 90 };

/** The rules of what is invented, as sentences for the README of a data set. */
export const inventedRules = {
  ids: `Identifiers count up: patients from ${firstIds.subject}, admissions from ${firstIds.admission}, ICU stays from ${firstIds.icuStay}. MIMIC-III and MIMIC-IV use none above 40,000,000.`,
  times:
    'The first admission of a patient is a random moment of the years 2110 to 2179, as MIMIC shifts its dates.',
  gaps: `Where the model sampled the days between two admissions, the next admission is so many days later (at least an hour); otherwise ${inventedGap.least} to ${inventedGap.most} days, log-uniform.`,
  stays: `A stay takes ${inventedStay.least} to ${inventedStay.most} days, log-uniform, and at most ${100 * mostOfGap} % of the time to the next admission.`,
  events:
    'Diagnoses have the time of discharge; procedures, drugs and lab tests have a random moment of the stay.',
  birth:
    'A patient is born on the day that makes the sampled age true at the first admission; no age is hidden above 89.',
} as const;

/** What a data set needs and a token cohort does not hold. Times are whole seconds since 1970, UTC; NaN: none. */
export interface InventedFacts {
  /** Per patient. NaN where the model sampled no age. */
  birth: Float64Array;
  /** Per patient: `birth`, or where that is unknown a day that gives an age of 18 to 90 at the first admission. */
  filledBirth: Float64Array;
  /** Per patient; NaN unless the cohort says that the patient died in hospital. */
  death: Float64Array;
  /** Per visit. */
  admitted: Float64Array;
  discharged: Float64Array;
  /** Per code occurrence; NaN for gaps, which are no events. */
  times: Float64Array;
  /** How many of the facts the cohort did not hold. */
  counts: { ages: number; gaps: number };
}

const logUniform = ({ least, most }: { least: number; most: number }, unit: number): number =>
  least * (most / least) ** unit;

/** A numeric fact of a patient; NaN where there is none. */
const numberAt = (fact: Demographic | undefined, patient: number): number =>
  fact?.kind === 'numeric' ? (fact.values[patient] as number) : Number.NaN;

/** A number of Float32 as it was written: 0.9 for 0.8999999761581421. */
export const shortestNumber = (value: number, decimals?: number): number => {
  if (!Number.isFinite(value)) return value;
  if (decimals !== undefined) {
    const rounded = Math.round(value * 10 ** decimals) / 10 ** decimals;
    if (Math.fround(rounded) === Math.fround(value)) return rounded;
  }
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return Number(value.toPrecision(9));
};

/** Seconds from the last admission by the gap token of a visit; NaN where it has none. */
const sampledGap = ({ codes, values, vocabulary }: TokenCohort, [from, end]: readonly [number, number]) => {
  for (let i = from; i < end; i++) {
    const token = vocabulary.codes[codes[i] as number];
    const days = values?.[i] ?? Number.NaN;
    // Rounded up, so that the days between two written times are never below the lower end of a bucket.
    if (token?.modality === 'gap' && !Number.isNaN(days))
      return Math.ceil(shortestNumber(days, token.bucket?.decimals) * daySeconds);
  }
  return Number.NaN;
};

const checkCounts = (cohort: TokenCohort): void => {
  const most = Math.max(patientCount(cohort), visitCount(cohort));
  if (most > idsOfAKind)
    throw new StageError(
      'InvalidUsage',
      `expected at most ${idsOfAKind} patients and visits, found ${most}: there are no more identifiers of 32 bits`,
    );
};

/**
 * Invents identifiers' companions: dates, lengths of stay, times of events. Patient i's facts depend on the
 * seed, on i and on that patient's record alone. Throws InvalidUsage where identifiers run out.
 */
export const inventFacts = (cohort: TokenCohort, seed: number): InventedFacts => {
  checkCounts(cohort);
  const [patients, visits] = [patientCount(cohort), visitCount(cohort)];
  const random = new RandomSource(seed, 'exports');
  const facts: InventedFacts = {
    birth: new Float64Array(patients).fill(Number.NaN),
    filledBirth: new Float64Array(patients),
    death: new Float64Array(patients).fill(Number.NaN),
    admitted: new Float64Array(visits),
    discharged: new Float64Array(visits),
    times: new Float64Array(cohort.codes.length).fill(Number.NaN),
    counts: { ages: 0, gaps: 0 },
  };
  const { age, died_in_hospital: died } = cohort.demographics ?? {};
  const draws = new Float64Array(2);
  for (let patient = 0; patient < patients; patient++) {
    random.fill(draws, 0, 2, patient);
    const [when, howOld] = draws as unknown as [number, number];
    const first = Math.floor(firstYears.from + when * (firstYears.to - firstYears.from));
    const years = numberAt(age, patient);
    const isKnown = years >= 0;
    const used = isKnown ? years : inventedAge.least + howOld * (inventedAge.most - inventedAge.least);
    facts.filledBirth[patient] = Math.floor((first - used * yearSeconds) / daySeconds) * daySeconds;
    if (isKnown) facts.birth[patient] = facts.filledBirth[patient] as number;
    else facts.counts.ages++;
    placeVisits(cohort, patient, first, random, facts);
    const [from, end] = visitRange(cohort, patient);
    if (end > from && numberAt(died, patient) === 1)
      facts.death[patient] = facts.discharged[end - 1] as number;
  }
  return facts;
};

const placeVisits = (
  cohort: TokenCohort,
  patient: number,
  first: number,
  random: RandomSource,
  facts: InventedFacts,
): void => {
  const [from, end] = visitRange(cohort, patient);
  let draws = new Float64Array(2);
  for (let visit = from; visit < end; visit++) {
    const range = codeRange(cohort, visit);
    const wanted = 2 + range[1] - range[0];
    if (draws.length < wanted) draws = new Float64Array(2 * wanted);
    random.fill(draws, 0, wanted, patient, 1 + visit - from);
    const [gapDraw, stayDraw] = draws as unknown as [number, number];
    let gap = Number.POSITIVE_INFINITY;
    if (visit === from) facts.admitted[visit] = first;
    else {
      gap = sampledGap(cohort, range);
      if (Number.isNaN(gap)) {
        gap = Math.ceil(logUniform(inventedGap, gapDraw) * daySeconds);
        facts.counts.gaps++;
      }
      gap = Math.max(gap, leastGapSeconds);
      facts.admitted[visit] = (facts.admitted[visit - 1] as number) + gap;
      endStay(facts, visit - 1, gap);
    }
    const stay = Math.ceil(logUniform(inventedStay, stayDraw) * daySeconds);
    facts.discharged[visit] = (facts.admitted[visit] as number) + stay;
  }
  for (let visit = from; visit < end; visit++)
    placeEvents(cohort, patient, visit, visit - from, random, facts);
};

/** A stay ends before the next one begins. */
const endStay = ({ admitted, discharged }: InventedFacts, visit: number, gap: number): void => {
  const latest = (admitted[visit] as number) + Math.floor(gap * mostOfGap);
  discharged[visit] = Math.min(discharged[visit] as number, latest);
};

const placeEvents = (
  cohort: TokenCohort,
  patient: number,
  visit: number,
  number: number,
  random: RandomSource,
  { admitted, discharged, times }: InventedFacts,
): void => {
  const [from, end] = codeRange(cohort, visit);
  const draws = new Float64Array(2 + end - from);
  random.fill(draws, 0, draws.length, patient, 1 + number);
  const [begin, stop] = [admitted[visit] as number, discharged[visit] as number];
  for (let i = from; i < end; i++) {
    const modality = cohort.vocabulary.codes[cohort.codes[i] as number]?.modality;
    if (modality === 'gap') continue;
    const at = begin + Math.floor((draws[2 + i - from] as number) * (stop - begin));
    times[i] = modality === 'dx' ? stop : at;
  }
};
