/**
 * How likely HALO finds given records: teacher-forced, so each cell's probability is told with the true past. The
 * reference (test_model.py) counts every column of every row; a cell that cannot occur at its position (a label in
 * a visit, a code in the label row, start, padding) is no decision of the generator, which never draws it.
 */

import { emptyTally, type PatientScores, type Tally } from '../../../generation/generator.ts';
import type { AsyncSteps } from '../../../kernel/steps.ts';
import { patientCount, type VisitColumns } from '../../../patients/visit-columns.ts';
import { type Architecture, type Layout, layoutOf } from '../network/architecture.ts';
import { type Batch, packPatients } from '../network/batch.ts';

/** Most cells of one batch: 8 MiB for each grid of them, of which the head needs a few. */
const batchCells = 2 ** 21;

/** Index after the last patient of the batch that begins at `first`; at least one patient, however long. */
const batchEnd = (
  { visitOffsets }: VisitColumns,
  first: number,
  width: number,
  maxVisits: number,
): number => {
  const patients = visitOffsets.length - 1;
  let rows = 0;
  for (let patient = first; patient < patients; patient++) {
    const visits = (visitOffsets[patient + 1] as number) - (visitOffsets[patient] as number);
    rows += Math.min(visits, maxVisits) + 1;
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

interface Scored {
  own: Tally;
  reference: Tally;
}

/** Adds the rows of one patient, who is the `index`-th of the batch. */
const countPatient = (
  { own, reference }: Scored,
  patient: number,
  index: number,
  batch: Batch,
  { present, logits }: { present: Uint8Array; logits: Float32Array },
  { codes, start, end, width }: Layout,
): void => {
  const first = batch.offsets[index] as number;
  for (let row = first; row < (batch.offsets[index + 1] as number); row++) {
    const isLabels = row === first;
    for (let column = 0; column < width; column++) {
      const at = row * width + column;
      const logit = logits[at] as number;
      const isPresent = present[at] === 1;
      count(reference, patient, logit, isPresent);
      const isLabel = column >= codes && column < start;
      const possible = isLabels ? isLabel : column < codes || column === end;
      if (possible) count(own, patient, logit, isPresent);
    }
  }
};

/** Scores patients batch by batch with a safe point after each; `logitsOf` gives [N, W] of a batch. */
export async function* scorePatients(
  architecture: Architecture,
  columns: VisitColumns,
  logitsOf: (batch: Batch) => Promise<Float32Array>,
): AsyncSteps<PatientScores> {
  const layout = layoutOf(architecture);
  const { width } = layout;
  const { maxVisits } = architecture;
  const patients = patientCount(columns);
  const scored: Scored = { own: emptyTally(patients), reference: emptyTally(patients) };
  for (let first = 0; first < patients; ) {
    const last = batchEnd(columns, first, width, maxVisits);
    const chosen = Int32Array.from({ length: last - first }, (_, i) => first + i);
    const batch = packPatients(layout, columns, chosen, maxVisits);
    const logits = await logitsOf(batch);
    const present = new Uint8Array(batch.rows * width);
    batch.targets.tokens.forEach((token, i) => {
      present[(batch.targets.rows[i] as number) * width + token] = 1;
    });
    for (const [index, patient] of chosen.entries())
      countPatient(scored, patient, index, batch, { present, logits }, layout);
    first = last;
    yield { step: last, of: patients, phase: 'scoring' };
  }
  const visits = (patient: number) =>
    (columns.visitOffsets[patient + 1] as number) - (columns.visitOffsets[patient] as number);
  const cut = Array.from({ length: patients }, (_, patient) => visits(patient)).filter((v) => v > maxVisits);
  return {
    ...scored.own,
    cut: cut.length,
    reference: {
      ...scored.reference,
      visits: Int32Array.from({ length: patients }, (_, p) => Math.min(visits(p), maxVisits) + 1),
      paddedCells: (maxVisits + 1) * width,
    },
  };
}
