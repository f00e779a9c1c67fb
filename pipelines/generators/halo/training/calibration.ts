/**
 * Each code that a model draws is what it reads next, so that small errors feed on themselves: records drawn by a model
 * whose probabilities are right beside real records (to 2 %) came out 7 % poorer in codes. Here the output biases are
 * shifted, round by round, until records as they are drawn have the training patients' prevalences: of codes and of the
 * end by visit, of labels by patient. The paper has nothing like it. W width of a visit vector.
 */
import type { Saved } from '../../../kernel/checkpointable.ts';
import { openOps } from '../../../nn/ops/open-ops.ts';
import { patientCount, type VisitColumns, visitCount } from '../../../patients/visit-columns.ts';
import { type Architecture, type Layout, layoutOf } from '../network/architecture.ts';
import { HaloNetwork } from '../network/network.ts';
import { HaloSampler, samplingColumns } from '../sampling/sampler.ts';

/** How often each column is present, and of how many rows where it could be. */
interface Occurrences {
  counts: Float64Array; // [W]
  patients: number;
  visits: number;
}

const occurrences = (layout: Layout, columns: VisitColumns): Occurrences => {
  const counts = new Float64Array(layout.width);
  const add = (column: number, by: number) => {
    counts[column] = (counts[column] as number) + by;
  };
  for (const code of columns.codes) add(code, 1);
  columns.labels.forEach((label, i) => {
    add(layout.codes + (i % layout.labels), label);
  });
  counts[layout.end] = patientCount(columns);
  return { counts, patients: patientCount(columns), visits: visitCount(columns) };
};

const logit = (p: number): number => Math.log(p / (1 - p));

/** Draws that a drawn share is pulled toward the real one by, so that what was drawn a few times decides little. */
const pull = 20;

/** Weight of the way to go in a round: codes raise each other. */
const stride = 0.8;

/** What to add to each column's logit, after one look at `drawn` records. */
const shifts = (layout: Layout, real: Occurrences, drawn: Occurrences): Float64Array =>
  Float64Array.from({ length: layout.width }, (_, column) => {
    const isLabel = column >= layout.codes && column < layout.start;
    if (column >= layout.start && column !== layout.end) return 0;
    const [rows, drawnRows] = isLabel ? [real.patients, drawn.patients] : [real.visits, drawn.visits];
    // Half a row away from never and always, which no logit says. More would make rare codes commoner than they are.
    const share = Math.min(rows - 0.5, Math.max(0.5, real.counts[column] as number)) / rows;
    const drawnShare = ((drawn.counts[column] as number) + pull * share) / (drawnRows + pull);
    return stride * (logit(share) - logit(drawnShare));
  });

/** Seeds of other patients than a person asks for. */
const farSeed = 2 ** 45;

export interface Calibration {
  rounds: number;
  /** Patients drawn in a round. */
  patients: number;
  seed: number;
  /** As `groupsOf` gives them. */
  groups: Int32Array | undefined;
}

/** Adds a shift [W] to the output bias of a model in the reference's tensors, in place. */
export const shiftLogits = (model: Saved, { embedding }: Architecture, shift: ArrayLike<number>): void => {
  const bias = model.arrays['ehr_head.auto2.bias'];
  if (!bias) throw new RangeError('the model has no output bias');
  // The bias of column c stands one place before the column's own: see Weight.
  for (let column = 0; column < shift.length; column++) {
    const at = embedding - 1 + column;
    bias.data[at] = Number(bias.data[at]) + (shift[column] as number);
  }
};

/**
 * The shift [W] of the output bias after all rounds. `model` holds the reference's tensors; its bias is shifted on the
 * way.
 */
export const calibrate = async (
  model: Saved,
  architecture: Architecture,
  train: VisitColumns,
  { rounds, patients, seed, groups }: Calibration,
): Promise<Float32Array> => {
  const layout = layoutOf(architecture);
  const real = occurrences(layout, train);
  const total = new Float32Array(layout.width);
  for (let round = 0; round < rounds; round++) {
    const ops = await openOps();
    const sampler = new HaloSampler(
      await HaloNetwork.fromReference(ops, architecture, samplingColumns, model.arrays),
      groups,
    );
    try {
      const request = { first: 0, count: patients, seed: seed + farSeed * (round + 1) };
      const shift = shifts(layout, real, occurrences(layout, await sampler.sample(request)));
      shiftLogits(model, architecture, shift);
      shift.forEach((by, column) => {
        total[column] = (total[column] as number) + by;
      });
    } finally {
      sampler.dispose();
    }
  }
  return total;
};
