import { emptyTally, type PatientScores } from '../../generation/generator.ts';
import type { AsyncSteps } from '../../kernel/steps.ts';
import {
  lengthHistogram,
  patientCount,
  type Range,
  type VisitColumns,
  visitCount,
} from '../../patients/visit-columns.ts';

/** What the model of independent marginals has learned, all shares in [0, 1]. */
export interface Marginals {
  /** `[codes]` of training visits that have the code. */
  codes: Float64Array;
  /**
   * `[fact columns + labels]` of training patients who have the label; for a column of a fact, of those who
   * have none of the fact's columns before it.
   */
  labels: Float64Array;
  /** `[longest + 1]` of training patients who have that many visits or fewer. */
  visitsUpTo: Float64Array;
  /** `[1]` how many training visits the shares of codes are of. */
  visits: Float64Array;
}

/** Coins thrown together, as what it costs that all show nothing, and how many would be called a yes. */
const allAbsent = (shares: Float64Array) => ({
  logProbability: shares.reduce((sum, share) => sum + (share < 1 ? Math.log1p(-share) : 0), 0),
  certain: shares.reduce((sum, share) => sum + (share === 1 ? 1 : 0), 0),
  called: shares.reduce((sum, share) => sum + (share > 0.5 ? 1 : 0), 0),
});

/** Patients between two safe points. */
const slice = 4096;

/** Columns [from, to) of facts of these sizes among the labels, and where the labels proper begin. */
export const factRanges = (sizes: readonly number[]): { ranges: Range[]; own: number } => {
  let own = 0;
  const ranges = sizes.map((size): Range => {
    own += size;
    return [own - size, own];
  });
  return { ranges, own };
};

/**
 * Closed form: a visit costs what an empty one would, corrected at the codes it has, so the work follows the
 * codes. The number of visits is one decision per visit, does the record end here, as for models that draw an
 * end.
 */
export async function* scoreByMarginals(
  { codes, labels, visitsUpTo }: Marginals,
  columns: VisitColumns,
  facts: readonly number[] = [],
): AsyncSteps<PatientScores> {
  const patients = patientCount(columns);
  const tally = emptyTally(patients);
  const { ranges, own: free } = factRanges(facts);
  const ownShares = labels.subarray(free);
  const [noCode, noLabel] = [allAbsent(codes), allAbsent(ownShares)];
  const { visitOffsets, codeOffsets } = columns;
  for (let patient = 0; patient < patients; patient++) {
    let [log, positives, hits, alarms] = [0, 0, 0, 0];
    const throwCoins = (shares: Float64Array, present: Iterable<number>, absent: typeof noCode) => {
      log += absent.logProbability;
      let [certain, called] = [absent.certain, absent.called];
      for (const i of present) {
        const share = shares[i] as number;
        if (share === 1) certain--;
        else log += Math.log(share) - Math.log1p(-share);
        positives++;
        if (share > 0.5) {
          hits++;
          called--;
        }
      }
      // Something is missing that every training record has.
      if (certain > 0) log = Number.NEGATIVE_INFINITY;
      alarms += called;
    };
    const own = columns.labels.subarray(patient * labels.length, (patient + 1) * labels.length);
    let cells = ownShares.length;
    for (const [from, to] of ranges) {
      const chosen = own.subarray(from, to).indexOf(1);
      // What comes after the fact's column is no decision.
      const decided = labels.subarray(from, chosen < 0 ? to : from + chosen + 1);
      throwCoins(decided, chosen < 0 ? [] : [chosen], allAbsent(decided));
      cells += decided.length;
    }
    const ownLabels = own.subarray(free);
    throwCoins(
      ownShares,
      [...ownLabels.keys()].filter((i) => ownLabels[i] === 1),
      noLabel,
    );
    const [first, last] = [visitOffsets[patient] as number, visitOffsets[patient + 1] as number];
    for (let visit = first; visit < last; visit++) {
      throwCoins(codes, columns.codes.subarray(codeOffsets[visit], codeOffsets[visit + 1]), noCode);
      const before = visitsUpTo[visit - first] ?? 1;
      const ends = before < 1 ? ((visitsUpTo[visit - first + 1] ?? 1) - before) / (1 - before) : 0;
      if (ends > 0.5 && visit === last - 1) hits++;
      else if (ends > 0.5) alarms++;
    }
    if (last > first) positives++;
    const visits = last - first;
    log += Math.log((visitsUpTo[visits] ?? 1) - (visits === 0 ? 0 : (visitsUpTo[visits - 1] ?? 1)));
    tally.logProbability[patient] = log;
    tally.cells[patient] = cells + visits * (codes.length + 1);
    tally.positives[patient] = positives;
    tally.truePositives[patient] = hits;
    tally.falsePositives[patient] = alarms;
    if ((patient + 1) % slice === 0) yield { step: patient + 1, of: patients, phase: 'scoring' };
  }
  return { ...tally, cut: 0 };
}

/**
 * The marginals of a cohort with half an occurrence added to each code and label, present and absent alike,
 * and half a patient to each number of visits up to `longest`: what no patient of the cohort has is rare, not
 * impossible, so that every record of at most `longest` visits has a finite log-probability.
 */
export const smoothedMarginals = (
  cohort: VisitColumns,
  sizes: { codes: number; labels: number },
  longest: number,
): Marginals => {
  const [patients, visits] = [patientCount(cohort), visitCount(cohort)];
  const share = (count: number, of: number): number => (count + 0.5) / (of + 1);
  const codes = new Float64Array(sizes.codes);
  for (const code of cohort.codes) codes[code] = (codes[code] as number) + 1;
  const labels = new Float64Array(sizes.labels);
  cohort.labels.forEach((label, i) => {
    labels[i % sizes.labels] = (labels[i % sizes.labels] as number) + label;
  });
  const { counts } = lengthHistogram(cohort.visitOffsets);
  const lengths = Math.max(longest + 1, counts.length);
  let upTo = 0;
  const visitsUpTo = Float64Array.from({ length: lengths }, (_, length) => {
    upTo += (counts[length] ?? 0) + 0.5;
    return length === lengths - 1 ? 1 : upTo / (patients + 0.5 * lengths);
  });
  return {
    codes: codes.map((count) => share(count, visits)),
    labels: labels.map((count) => share(count, patients)),
    visitsUpTo,
    visits: Float64Array.of(visits),
  };
};
