/**
 * Log-probability of given records, cell by cell, each cell's given the true past (teacher forcing). HALO's
 * test_model.py counts every column of every row; a cell that cannot occur at its position (a label in a
 * visit, a code in the label row, start, padding) is no decision of the generator, which never samples it. W
 * width of a set.
 */
import type { AsyncSteps } from '../kernel/steps.ts';
import { patientCount, type VisitColumns, visitsOf } from '../patients/visit-columns.ts';
import { emptyTally, type PatientScores, type Tally } from './generator.ts';
import { type Layout, type RecordSets, recordSets } from './record-sets.ts';

/** Most cells of one batch: 8 MiB for each grid of them, of which a head needs a few. */
const batchCells = 2 ** 21;

/** Index after the last patient of the batch that begins at `first`; at least one patient, however long. */
const batchEnd = (columns: VisitColumns, first: number, width: number, maxVisits: number): number => {
  const patients = patientCount(columns);
  let rows = 0;
  for (let patient = first; patient < patients; patient++) {
    rows += Math.min(visitsOf(columns, patient), maxVisits) + 1;
    if (patient > first && rows * width > batchCells) return patient;
  }
  return patients;
};

/** log(1 + eˣ), without overflow. */
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** Called more likely than not, as the reference rounds. */
const count = (tally: Tally, patient: number, logit: number, present: boolean): void => {
  const add = (of: Float64Array | Int32Array, term: number) => {
    of[patient] = (of[patient] as number) + term;
  };
  add(tally.logProbability, -softplus(present ? -logit : logit));
  add(tally.cells, 1);
  if (present) add(tally.positives, 1);
  if (logit > 0) add(present ? tally.truePositives : tally.falsePositives, 1);
};

/** Adds the rows of one patient, from `firstRow` of the batch on. */
const countPatient = (
  { own, reference }: { own: Tally; reference: Tally },
  patient: number,
  sets: RecordSets,
  logits: Float32Array,
  firstRow: number,
  { codes, start, end, width, facts }: Layout,
): void => {
  for (let row = 0; row + 1 < sets.length; row++) {
    const present = new Uint8Array(width);
    for (const token of Array.from(sets[row + 1] ?? [])) present[token] = 1;
    // After a column of a fact, the sampler has no choice in the rest of it.
    const forced = new Uint8Array(width);
    for (const [from, to] of facts) {
      const chosen = present.subarray(from, to).indexOf(1);
      if (chosen >= 0) forced.fill(1, from + chosen + 1, to);
    }
    for (let column = 0; column < width; column++) {
      const logit = logits[(firstRow + row) * width + column] as number;
      const isPresent = present[column] === 1;
      count(reference, patient, logit, isPresent);
      const isLabel = column >= codes && column < start;
      const isPossible = row === 0 ? isLabel && forced[column] === 0 : column < codes || column === end;
      if (isPossible) count(own, patient, logit, isPresent);
    }
  }
};

/**
 * Scores patients batch by batch with a safe point after each. `logitsOf` gives [N, W] of records, a row for
 * each set but the first, patient by patient.
 */
export async function* scoreRecords(
  layout: Layout,
  maxVisits: number,
  columns: VisitColumns,
  logitsOf: (records: readonly RecordSets[]) => Promise<Float32Array>,
): AsyncSteps<PatientScores> {
  const { width } = layout;
  const patients = patientCount(columns);
  const scored = { own: emptyTally(patients), reference: emptyTally(patients) };
  for (let first = 0; first < patients; ) {
    const last = batchEnd(columns, first, width, maxVisits);
    const records = Array.from({ length: last - first }, (_, i) =>
      recordSets(layout, columns, first + i, maxVisits),
    );
    const logits = await logitsOf(records);
    let row = 0;
    for (const [i, sets] of records.entries()) {
      countPatient(scored, first + i, sets, logits, row, layout);
      row += sets.length - 1;
    }
    first = last;
    yield { step: last, of: patients, phase: 'scoring' };
  }
  const visits = Array.from({ length: patients }, (_, patient) => visitsOf(columns, patient));
  return {
    ...scored.own,
    cut: visits.filter((count) => count > maxVisits).length,
    reference: {
      ...scored.reference,
      visits: Int32Array.from(visits, (count) => Math.min(count, maxVisits) + 1),
      paddedCells: (maxVisits + 1) * width,
    },
  };
}
