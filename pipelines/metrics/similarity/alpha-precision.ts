import { phase, type Steps } from '../../kernel/steps.ts';
import { codesOfPatient, patientCount, type VisitColumns } from '../../patients/visit-columns.ts';
import { defineMetric, type MetricResult } from '../metric.ts';
import { measureRow } from '../rows/measure-row.ts';
import { centeredIntervals, oneByOne, quantile } from '../statistics/bootstrap.ts';
import { wholeRecords } from '../statistics/derived-columns.ts';
import { keysFor, never } from '../statistics/distance-rows.ts';
import { measured, missing } from '../statistics/measure.ts';
import { firstKept, type Nearest, nearestFew } from '../statistics/nearest.ts';
import { withCodes } from '../statistics/samples.ts';

/** Shares α and β at which the curves are compared with the diagonal, 0 left out. */
const levels = Array.from({ length: 29 }, (_, i) => (i + 1) / 29);

/** Squared distances |x − c|² of patients, as sets of codes, to a center. */
const distancesTo = (center: Float64Array, columns: VisitColumns): Float64Array => {
  const own = center.reduce((sum, share) => sum + share * share, 0);
  return Float64Array.from({ length: patientCount(columns) }, (_, patient) =>
    codesOfPatient(columns, patient).reduce((sum, code) => sum + 1 - 2 * (center[code] as number), own),
  );
};

/** The share of patients who have each code. */
const centerOf = (columns: VisitColumns, codes: number): Float64Array => {
  const center = new Float64Array(codes);
  const patients = Math.max(1, patientCount(columns));
  for (const code of columns.codes) center[code] = (center[code] as number) + 1 / patients;
  return center;
};

const weighted = (flags: ArrayLike<number>, counts: ArrayLike<number> | undefined): number => {
  let [sum, all] = [0, 0];
  for (let i = 0; i < flags.length; i++) {
    const weight = counts ? (counts[i] as number) : 1;
    sum += weight * (flags[i] as number);
    all += weight;
  }
  return sum / all;
};

/** How near a curve over the levels is to the diagonal: 1 on it, 0 as far as it can be. */
const nearness = (curve: readonly number[]): number =>
  1 -
  curve.reduce((sum, share, i) => sum + Math.abs(share - (levels[i] as number)), 0) /
    levels.reduce((sum, level) => sum + level, 0);

/** Whether each patient is inside the ball of each level: `[levels][patients]`. */
const insides = (distances: Float64Array, radii: readonly number[]): Uint8Array[] =>
  radii.map((radius) => Uint8Array.from(distances, (distance) => Number(distance <= radius)));

/** Neighbors that are kept of each patient, so that in a resample the nearest who is in it is known. */
const few = 8;

/**
 * Of each patient the nearest neighbor that a resample has; by counts of the neighbors' side, or all of them.
 */
const firstPresent = (found: Nearest, patients: number, counts: Int32Array | undefined): Nearest => {
  const places = Int32Array.from({ length: patients }, (_, p) => firstKept(found, few, p, counts));
  return {
    distance: places.map((at) => (at < 0 ? never : (found.distance[at] as number))),
    index: places.map((at) => (at < 0 ? -1 : (found.index[at] as number))),
  };
};

const radiiOf = (distances: Float64Array): number[] => {
  const ascending = distances.slice().sort();
  return levels.map((level) => quantile(ascending, level));
};

/**
 * α-precision, β-recall and authenticity (Alaa, van Breugel, Saveliev, van der Schaar: How faithful is your
 * synthetic data?, ICML 2022, sections 3 and 4, and the authors' code). Their balls need an embedding with a
 * center and a distance: a patient here is the set of codes of the whole record, a 0/1 vector, with the
 * Euclidean distance, whose square is the number of codes that differ; the center is the vector of
 * prevalences.
 */
export default defineMetric({
  name: 'alpha-precision',
  family: 'similarity',
  title: 'α-precision, β-recall and authenticity',
  about:
    'Are synthetic patients as typical as real ones (α-precision), are all kinds of real patients among them (β-recall), and are they new rather than copies (authenticity)? Patients are compared by the set of codes of their whole record.',
  better: 'higher',
  range: [0, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  headline: { 'alpha-precision': 'α-precision', 'beta-recall': 'β-recall', authenticity: 'Authenticity' },
  *compute({ train, synthetic, vocabulary, seed, replicates }): Steps<MetricResult> {
    const [real, made] = [withCodes(wholeRecords(train)), withCodes(wholeRecords(synthetic))];
    const rows = [
      {
        row: 'alpha-precision',
        title: 'α-precision, integrated',
        about:
          'for every α, as large a share of synthetic as of real patients should lie among the α most typical real ones: 1 is exact, 0 as far off as can be',
      },
      {
        row: 'beta-recall',
        title: 'β-recall, integrated',
        about:
          'for every β, so large a share of real patients should have one of the β most typical synthetic patients nearer than their nearest real one; independent real patients reach about one half of it',
      },
      {
        row: 'authenticity',
        title: 'Authenticity',
        about:
          'share of synthetic patients who are farther from their nearest real patient than that one is from its nearest other real patient (equally far counts half, an exact copy nothing); copies make it small, see what real patients outside the training set reach',
      },
    ];
    const sizes = [patientCount(real), patientCount(made)] as const;
    if (sizes[0] < 2 || sizes[1] < 1) {
      const none = missing('two real patients and one synthetic patient with a code are needed', sizes[1]);
      return { rows: rows.map((row) => measureRow(row, none)) };
    }
    const shared = keysFor([real, made], 'codes');
    const search = { shared, distance: 'codes', query: 0 } as const;
    const reals = yield* phase(
      'real to real',
      0,
      3,
      nearestFew({ ...search, reference: 0, skipSelf: true }, few),
    );
    const mades = yield* phase('real to synthetic', 1, 3, nearestFew({ ...search, reference: 1 }, few));
    const back = yield* phase(
      'synthetic to real',
      2,
      3,
      nearestFew({ ...search, query: 1, reference: 0 }, few),
    );
    const codes = vocabulary.codes.length;
    const center = centerOf(real, codes);
    const precise = insides(distancesTo(center, made), radiiOf(distancesTo(center, real)));
    const typical = distancesTo(centerOf(made, codes), made);
    const numbers = (counts?: readonly Int32Array[]) => {
      const toReal = firstPresent(reals, sizes[0], counts?.[0]);
      const toMade = firstPresent(mades, sizes[0], counts?.[1]);
      const closest = Float64Array.from(toMade.index, (at) => (at < 0 ? Infinity : (typical[at] as number)));
      const covered = insides(closest, radiiOf(closest)).map((inside) =>
        inside.map(
          (flag, p) => flag & Number((toMade.distance[p] as number) <= (toReal.distance[p] as number)),
        ),
      );
      // A copy is nearer to its original than other real patients are. Equally near counts half: where no one
      // has to be nearer, neither is.
      const origin = firstPresent(back, sizes[1], counts?.[0]);
      const authentic = Float64Array.from(origin.distance, (distance, s) => {
        const original = origin.index[s] as number;
        const apart = original < 0 ? 1 : distance - (toReal.distance[original] as number);
        return apart > 0 ? 1 : apart === 0 && distance > 0 ? 0.5 : 0;
      });
      return [
        nearness(precise.map((flags) => weighted(flags, counts?.[1]))),
        nearness(covered.map((flags) => weighted(flags, counts?.[0]))),
        weighted(authentic, counts?.[1]),
      ];
    };
    const found = numbers();
    const points = found.map((value) => ({ value, range: [0, 1] as const }));
    const intervals = yield* centeredIntervals(
      oneByOne({ sizes, seed, replicates, statistics: (counts) => numbers(counts) }),
      points,
    );
    return {
      rows: found.map((value, i) =>
        measureRow(rows[i] as (typeof rows)[number], measured(value, sizes[i === 1 ? 0 : 1], intervals[i])),
      ),
    };
  },
});
