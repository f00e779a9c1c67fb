/**
 * Leaks that are planted in a synthetic cohort, for bench/power.ts: what a generator that memorises could do, from
 * nothing to everything. Each is a pure function of the cohorts and of uniform numbers.
 */
import {
  codesOfVisit,
  labelsOfPatient,
  patientCount,
  type VisitColumns,
  VisitColumnsBuilder,
  visitRange,
} from '../pipelines/patients/visit-columns.ts';

interface Patient {
  visits: number[][];
  labels: Uint8Array;
}

const patientsOf = (columns: VisitColumns): Patient[] =>
  Array.from({ length: patientCount(columns) }, (_, patient) => {
    const [first, end] = visitRange(columns, patient);
    const visits = Array.from({ length: end - first }, (_v, at) => [...codesOfVisit(columns, first + at)]);
    return { visits, labels: labelsOfPatient(columns, patient) };
  });

const columnsOf = (patients: readonly Patient[]): VisitColumns => {
  const builder = new VisitColumnsBuilder();
  for (const { visits, labels } of patients) builder.addPatient(visits, labels);
  return builder.build();
};

/** Replaces some of the clean synthetic patients; `next` gives uniform numbers in [0, 1). */
type Replace = (clean: Patient[], train: Patient[], next: () => number) => Patient[];

const noisy = ({ visits, labels }: Patient, dropped: number, next: () => number): Patient => ({
  visits: visits.map((visit) => visit.filter(() => next() >= dropped)),
  labels,
});

/** The first `share` of the synthetic patients become training patients, each code dropped with probability `dropped`. */
const copies =
  (share: number, dropped = 0): Replace =>
  (clean, train, next) =>
    clean.map((own, i) => {
      const leaked = train[i];
      return leaked && i < share * clean.length ? noisy(leaked, dropped, next) : own;
    });

/** With probability `share` a visit becomes that of any training patient, so that records are stitched from many. */
const copiedVisits =
  (share: number, dropped = 0): Replace =>
  (clean, train, next) => {
    const pool = train.flatMap(({ visits }) => visits);
    const visitOf = (own: number[]) =>
      next() < share
        ? (pool[Math.floor(next() * pool.length)] as number[]).filter(() => next() >= dropped)
        : own;
    return clean.map((own) => ({ ...own, visits: own.visits.map(visitOf) }));
  };

/** Copies of the training patients whose codes are the rarest on average, by the logarithm of their counts. */
const rarest =
  (share: number, dropped = 0): Replace =>
  (clean, train, next) => {
    const counts = new Map<number, number>();
    for (const code of train.flatMap(({ visits }) => visits.flat()))
      counts.set(code, (counts.get(code) ?? 0) + 1);
    const commonness = ({ visits }: Patient) => {
      const codes = [...new Set(visits.flat())];
      return (
        codes.reduce((sum, code) => sum + Math.log(counts.get(code) ?? 1), 0) / Math.max(1, codes.length)
      );
    };
    const ranked = train
      .map((patient) => ({ patient, common: commonness(patient) }))
      .sort((a, b) => a.common - b.common);
    return copies(share, dropped)(
      clean,
      ranked.map(({ patient }) => patient),
      next,
    );
  };

/**
 * Every synthetic patient is built around a training patient, as a warm start does: a code is kept with probability
 * `kept`, and the clean patient of the same index gives the others in the same proportion. No model is trained.
 */
const aroundReal =
  (kept: number): Replace =>
  (clean, train, next) =>
    clean.map((own, i) => {
      const seed = train[i];
      if (!seed) return own;
      const visits = seed.visits.map((visit, at) => {
        const others = own.visits[at % Math.max(1, own.visits.length)] ?? [];
        return [
          ...new Set([...visit.filter(() => next() < kept), ...others.filter(() => next() >= kept)]),
        ].sort((a, b) => a - b);
      });
      return { visits, labels: seed.labels };
    });

const replacements: Record<string, Replace> = {
  none: (clean) => clean,
  'copies-1': copies(0.01),
  'copies-3': copies(0.03),
  'copies-5': copies(0.05),
  'copies-25': copies(0.25),
  'copies-100': copies(1),
  'noisy-1': copies(0.01, 0.3),
  'noisy-3': copies(0.03, 0.3),
  'noisy-5': copies(0.05, 0.3),
  'noisy-100': copies(1, 0.3),
  'visits-3': copiedVisits(0.03),
  'visits-100': copiedVisits(1),
  'noisy-visits-3': copiedVisits(0.03, 0.3),
  'noisy-visits-100': copiedVisits(1, 0.3),
  'rare-3': rarest(0.03),
  'noisy-rare-3': rarest(0.03, 0.3),
  warm: aroundReal(0.5),
};

/** Every leak by its name: the number is the share of synthetic patients, or of visits, in percent. */
export const plantedLeaks: ReadonlyMap<
  string,
  (clean: VisitColumns, train: VisitColumns, next: () => number) => VisitColumns
> = new Map(
  Object.entries(replacements).map(([name, replace]) => [
    name,
    (clean, train, next) => columnsOf(replace(patientsOf(clean), patientsOf(train), next)),
  ]),
);
