/**
 * Cohorts turned into other cohorts, whose codes or pairs are then counted like any: what they count differs,
 * how it is counted, compared and resampled does not.
 */
import {
  codesOfPatient,
  codesOfVisit,
  labelsOfPatient,
  patientCount,
  toOffsets,
  type VisitColumns,
  VisitColumnsBuilder,
  visitRange,
} from '../../patients/visit-columns.ts';

/** Each patient's visits in new form; labels stay. */
const derived = (
  columns: VisitColumns,
  visitsOf: (visits: readonly Int32Array[]) => Iterable<number>[],
): VisitColumns => {
  const builder = new VisitColumnsBuilder();
  for (let patient = 0; patient < patientCount(columns); patient++) {
    const [first, end] = visitRange(columns, patient);
    const visits = Array.from({ length: end - first }, (_, at) => codesOfVisit(columns, first + at));
    builder.addPatient(visitsOf(visits), labelsOfPatient(columns, patient));
  }
  return builder.build();
};

/**
 * Visits laid out so that those `lag` apart are next to each other: every `lag`-th visit from the first, an
 * empty visit, every `lag`-th from the second, and so on. Consecutive pairs of codes are then pairs at that
 * lag.
 */
export const atLag = (columns: VisitColumns, lag: number): VisitColumns =>
  derived(columns, (visits) =>
    Array.from({ length: Math.min(lag, visits.length) }, (_, from) => [
      ...(from > 0 ? [[]] : []),
      ...visits.filter((_visit, at) => at % lag === from),
    ]).flat(),
  );

/**
 * For each visit but the first: all codes of the visits before it as one visit, then the visit itself, each
 * two followed by an empty visit. Consecutive pairs of codes are then pairs of a code and a code of any later
 * visit, once for every later visit that has the second.
 */
export const afterHistory = (columns: VisitColumns): VisitColumns =>
  derived(columns, (visits) => {
    const history = new Set(visits[0]);
    return visits.slice(1).flatMap((visit, at) => {
      const before = [...history];
      for (const code of visit) history.add(code);
      return [...(at > 0 ? [[]] : []), before, visit];
    });
  });

/** Of each visit but the first, the codes that the visit before has too. */
export const recurring = (columns: VisitColumns): VisitColumns =>
  derived(columns, (visits) =>
    visits.slice(1).map((visit, at) => {
      const before = new Set(visits[at]);
      return visit.filter((code) => before.has(code));
    }),
  );

/** One visit per patient, with each code of the record once; none where there is no code. */
export const wholeRecords = (columns: VisitColumns): VisitColumns =>
  derived(columns, (visits) => {
    const codes = new Set(visits.flatMap((visit) => [...visit]));
    return codes.size > 0 ? [codes] : [];
  });

/** The `most` codes that most visits have, by falling frequency, the lower code first of equals. */
export const mostFrequentCodes = ({ codes }: VisitColumns, most: number): number[] => {
  const counts = new Map<number, number>();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts]
    .sort(([a, m], [b, n]) => n - m || a - b)
    .slice(0, most)
    .map(([code]) => code);
};

/**
 * Visits as sets of triples: each unordered triple of `among` that a visit has is one code. With n codes
 * there are n (n − 1) (n − 2) / 6 triples.
 */
export const triplesAmong = (columns: VisitColumns, among: readonly number[]): VisitColumns => {
  const rank = new Map(among.map((code, at) => [code, at]));
  return derived(columns, (visits) =>
    visits.map((visit) => {
      const ranks = [...visit].flatMap((code) => rank.get(code) ?? []).sort((a, b) => a - b);
      const triples: number[] = [];
      for (const [k, c] of ranks.entries())
        for (const [j, b] of ranks.slice(0, k).entries())
          for (const a of ranks.slice(0, j))
            triples.push(a + (b * (b - 1)) / 2 + (c * (c - 1) * (c - 2)) / 6);
      return triples;
    }),
  );
};

/** `[patients + 1]` distinct codes of each patient, added up. */
export const distinctCodeOffsets = (columns: VisitColumns): Int32Array => {
  const counts = new Int32Array(patientCount(columns) + 1);
  for (let patient = 0; patient < patientCount(columns); patient++)
    counts[patient + 1] = new Set(codesOfPatient(columns, patient)).size;
  return toOffsets(counts);
};
