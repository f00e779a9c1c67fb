import { phase, type Steps } from '../../../kernel/steps.ts';
import {
  codesOfVisit,
  patientCount,
  type VisitColumns,
  visitRange,
} from '../../../patients/visit-columns.ts';
import { bootstrapIntervals, hasWidth, type Interval } from '../../statistics/bootstrap.ts';
import { type Measure, measured, missing } from '../../statistics/measure.ts';
import { wilsonInterval } from '../../statistics/normal.ts';
import type { PrivacyCohorts } from '../../statistics/samples.ts';

interface CopiedVisitOptions {
  seed: number;
  replicates: number;
  /** Visits of fewer codes coincide by chance, and are not looked at. */
  leastCodes: number;
  /** A near copy shares at least this part of the codes that either visit has (Jaccard). */
  similarity: number;
}

/** A rate among synthetic visits beside what chance explains of it. */
export interface CopyRate {
  synthetic: Measure;
  /** Of holdout visits: real patients whom no model has seen. */
  holdout: Measure;
  /** `synthetic` less the larger of the two rates that chance explains. */
  excess: Measure;
}

interface CopiedVisits {
  /** The same codes as some visit of a training patient. */
  exact: CopyRate;
  /** Exact or near copies of one visit. */
  near: CopyRate;
  /** Two visits in a row, both with the codes of two visits in a row of one training patient. */
  runs: CopyRate;
}

/** One visit, or two in a row, that is long enough to be looked at. */
interface Unit {
  patient: number;
  codes: Int32Array;
}

/** The units of a cohort, and of how many patients it is. */
interface Side {
  units: Unit[];
  patients: number;
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

const visitUnits = (columns: VisitColumns, leastCodes: number): Unit[] =>
  range(patientCount(columns)).flatMap((patient) => {
    const [first, end] = visitRange(columns, patient);
    return range(end - first)
      .map((at) => ({ patient, codes: codesOfVisit(columns, first + at) }))
      .filter(({ codes }) => codes.length >= leastCodes);
  });

/** Codes of two visits in a row, a mark between them that is no code. */
const runUnits = (columns: VisitColumns, leastCodes: number): Unit[] =>
  range(patientCount(columns)).flatMap((patient) => {
    const [first, end] = visitRange(columns, patient);
    return range(Math.max(0, end - first - 1))
      .map((at) => [codesOfVisit(columns, first + at), codesOfVisit(columns, first + at + 1)] as const)
      .filter(([a, b]) => a.length > 0 && b.length > 0 && a.length + b.length >= leastCodes)
      .map(([a, b]) => ({ patient, codes: Int32Array.of(...a, -1, ...b) }));
  });

const keyOf = ({ codes }: Unit): string => codes.join();

/** Finds units with the same codes as one of these. */
const exactly = (units: readonly Unit[]) => {
  const keys = new Set(units.map(keyOf));
  return (unit: Unit) => keys.has(keyOf(unit));
};

/** How many codes two visits share; both ascend. */
const shared = (a: Int32Array, b: Int32Array): number => {
  let count = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const difference = (a[i] as number) - (b[j] as number);
    if (difference === 0) count++;
    if (difference <= 0) i++;
    if (difference >= 0) j++;
  }
  return count;
};

/**
 * Finds visits whose Jaccard similarity to a given one is at least a threshold. Two such visits share one of
 * their rarest codes: of a visit of n codes, the n − ⌈threshold · n⌉ + 1 rarest are enough to find it by
 * (prefix filter: Chaudhuri, Ganti, Kaushik, ICDE 2006).
 */
class SimilarVisits {
  readonly #visits: readonly Unit[];
  readonly #threshold: number;
  readonly #frequency: Map<number, number>;
  readonly #byCode = new Map<number, number[]>();

  constructor(visits: readonly Unit[], threshold: number) {
    this.#visits = visits;
    this.#threshold = threshold;
    this.#frequency = new Map();
    for (const { codes } of visits)
      for (const code of codes) this.#frequency.set(code, (this.#frequency.get(code) ?? 0) + 1);
    visits.forEach(({ codes }, at) => {
      for (const code of this.#rarest(codes)) {
        const list = this.#byCode.get(code);
        if (list) list.push(at);
        else this.#byCode.set(code, [at]);
      }
    });
  }

  #rarest(codes: Int32Array): number[] {
    const of = (code: number) => this.#frequency.get(code) ?? 0;
    const enough = codes.length - Math.ceil(this.#threshold * codes.length - 1e-9) + 1;
    return [...codes].sort((a, b) => of(a) - of(b) || a - b).slice(0, enough);
  }

  has({ codes }: Unit): boolean {
    for (const code of this.#rarest(codes))
      for (const at of this.#byCode.get(code) ?? []) {
        const other = (this.#visits[at] as Unit).codes;
        const [few, many] = [Math.min(codes.length, other.length), Math.max(codes.length, other.length)];
        if (few < this.#threshold * many) continue;
        const both = shared(codes, other);
        if (both >= this.#threshold * (codes.length + other.length - both) - 1e-9) return true;
      }
    return false;
  }
}

/** Found or not, unit by unit, with safe points. */
function* look(units: readonly Unit[], isFound: (unit: Unit) => boolean): Steps<Uint8Array> {
  const found = new Uint8Array(units.length);
  for (let at = 0; at < units.length; at++) {
    found[at] = isFound(units[at] as Unit) ? 1 : 0;
    if (at % 1024 === 1023) yield { step: at, of: units.length };
  }
  return found;
}

/** Units of each patient that were found, and all of them, so that a resample of patients is a sum. */
const byPatient = (units: readonly Unit[], found: Uint8Array, patients: number) => {
  const hits = new Float64Array(patients);
  const all = new Float64Array(patients);
  units.forEach(({ patient }, at) => {
    hits[patient] = (hits[patient] as number) + (found[at] as number);
    all[patient] = (all[patient] as number) + 1;
  });
  return { hits, all };
};
type PerPatient = ReturnType<typeof byPatient>;

const rateOf = ({ hits, all }: PerPatient, counts?: Int32Array): number | null => {
  let [up, down] = [0, 0];
  for (let p = 0; p < all.length; p++) {
    const weight = counts ? (counts[p] as number) : 1;
    up += weight * (hits[p] as number);
    down += weight * (all[p] as number);
  }
  return down === 0 ? null : up / down;
};

const none = (note: string): CopyRate => ({
  synthetic: missing(note),
  holdout: missing(note),
  excess: missing(note),
});

/**
 * The rates of one kind of unit. `toTrain` and `toHoldout` find a unit in the one and in the other cohort;
 * `scale` is how many times as many patients training has.
 */
function* rates(
  synthetic: Side,
  holdout: Side,
  find: { toTrain(unit: Unit): boolean; toHoldout(unit: Unit): boolean },
  scale: number,
  options: CopiedVisitOptions,
): Steps<CopyRate> {
  const least = `of ${options.leastCodes} codes or more`;
  if (synthetic.units.length === 0) return none(`no synthetic patient has any ${least}`);
  if (holdout.units.length === 0) return none(`no holdout patient has any ${least}`);
  const ours = byPatient(
    synthetic.units,
    yield* phase('synthetic in training', 0, 3, look(synthetic.units, find.toTrain)),
    synthetic.patients,
  );
  const theirs = byPatient(
    holdout.units,
    yield* phase('holdout in training', 1, 3, look(holdout.units, find.toTrain)),
    holdout.patients,
  );
  // A generator that prefers common visits hits any real cohort more often than real patients do: its hits in
  // the holdout show how often, had the holdout as many patients as training.
  const likewise = byPatient(
    synthetic.units,
    yield* phase('synthetic in holdout', 2, 3, look(synthetic.units, find.toHoldout)),
    synthetic.patients,
  );
  const numbers = (counts?: readonly Int32Array[]) => {
    const [a, b, c] = [rateOf(ours, counts?.[0]), rateOf(theirs, counts?.[1]), rateOf(likewise, counts?.[0])];
    const excess = a === null || b === null || c === null ? null : a - Math.max(b, Math.min(1, scale * c));
    return [a, b, excess] as const;
  };
  const sizes = [synthetic.patients, holdout.patients] as const;
  const [inOurs, inTheirs, inExcess] = bootstrapIntervals({ ...options, sizes, statistics: numbers });
  const [a, b, excess] = numbers() as [number, number, number];
  const patientsWith = ({ all }: PerPatient) => all.reduce((n, units) => n + Number(units > 0), 0);
  const [withOurs, withTheirs] = [patientsWith(ours), patientsWith(theirs)];
  // Where resampling cannot vary a rate, Wilson's interval has the room that it needs; the difference then
  // has the ends of both rates as far apart as they can be.
  const isFixed = (found: Interval | undefined) => found !== undefined && !hasWidth(found);
  const ourInterval = isFixed(inOurs) ? wilsonInterval(a, withOurs) : inOurs;
  const theirInterval = isFixed(inTheirs) ? wilsonInterval(b, withTheirs) : inTheirs;
  const between: Interval | undefined =
    ourInterval && theirInterval && (isFixed(inOurs) || isFixed(inTheirs))
      ? [
          Math.min(excess, ourInterval[0] - theirInterval[1]),
          Math.max(excess, ourInterval[1] - theirInterval[0]),
        ]
      : inExcess;
  return {
    synthetic: measured(a, withOurs, ourInterval),
    holdout: measured(b, withTheirs, theirInterval),
    excess: measured(excess, withOurs, between),
  };
}

/**
 * How often synthetic visits are copies of visits of training patients, beyond chance: whichever patient they
 * are in, and in whatever order patients and codes come. Chance is the larger of two rates: how often visits
 * of holdout patients repeat training visits, and how often synthetic visits repeat holdout visits.
 */
export function* copiedVisits(
  { train, test, synthetic }: PrivacyCohorts,
  options: CopiedVisitOptions,
): Steps<CopiedVisits> {
  const { leastCodes, similarity } = options;
  const scale = patientCount(train) / Math.max(1, patientCount(test));
  const sidesOf = (unitsOf: typeof visitUnits) => {
    const [real, others, made] = [train, test, synthetic].map((columns) => ({
      units: unitsOf(columns, leastCodes),
      patients: patientCount(columns),
    })) as [Side, Side, Side];
    return { real, others, made };
  };
  const [visits, runsOfVisits] = [sidesOf(visitUnits), sidesOf(runUnits)];
  const parts = [
    { name: 'copied visits', sides: visits, finder: exactly },
    {
      name: 'near copies of visits',
      sides: visits,
      finder: (units: readonly Unit[]) => {
        const index = new SimilarVisits(units, similarity);
        return (unit: Unit) => index.has(unit);
      },
    },
    { name: 'copied runs', sides: runsOfVisits, finder: exactly },
  ];
  const found: CopyRate[] = [];
  for (const [at, { name, sides, finder }] of parts.entries()) {
    const find = { toTrain: finder(sides.real.units), toHoldout: finder(sides.others.units) };
    const steps = rates(sides.made, sides.others, find, scale, options);
    found.push(yield* phase(name, at, parts.length, steps));
  }
  const [exact, near, runs] = found as [CopyRate, CopyRate, CopyRate];
  return { exact, near, runs };
}
