/**
 * Each code that a model samples is what it reads next, so that small errors feed on themselves: records
 * sampled from a model whose probabilities are right beside real records (to 2 %) came out 7 % poorer in
 * codes. Here biases are shifted, round by round, until records as they are sampled have the training
 * patients' prevalences. No paper has anything like it.
 */
import type { Saved } from '../kernel/checkpointable.ts';
import { addShifts, type Shifts } from '../nn/training/epoch-trainer.ts';
import { patientCount, type VisitColumns, visitCount } from '../patients/visit-columns.ts';
import type { Sampler } from './generator.ts';
import type { Layout } from './record-sets.ts';

/**
 * Samples that a sampled share is pulled toward the real one by, so that what was sampled a few times decides
 * little.
 */
export const pull = 20;

/** Part of the way to go in a round: codes raise each other. */
export const stride = 0.8;

/** Seeds of other patients than a user asks for. */
const farSeed = 2 ** 45;

export interface CalibrationPlan {
  rounds: number;
  /** Patients sampled in a round. */
  patients: number;
  seed: number;
  open(model: Saved): Promise<Sampler>;
  /** What to add to tensors of the model, by name, after one look at sampled records. */
  shiftsOf(sampled: VisitColumns): Record<string, ArrayLike<number>>;
}

/** The sum of all rounds' shifts of the model that `fitted` gives; without rounds nothing. */
export const calibrate = async (
  fitted: () => Promise<Saved>,
  { rounds, patients, seed, open, shiftsOf }: CalibrationPlan,
): Promise<Shifts | undefined> => {
  if (rounds === 0) return undefined;
  const model = await fitted();
  const total: Shifts = {};
  for (let round = 0; round < rounds; round++) {
    const sampler = await open(model);
    try {
      const request = { first: 0, count: patients, seed: seed + farSeed * (round + 1) };
      const shifts = shiftsOf(await sampler.sample(request));
      addShifts(model, shifts);
      for (const [name, shift] of Object.entries(shifts)) {
        total[name] ??= new Float32Array(shift.length);
        const sum = total[name];
        for (let i = 0; i < shift.length; i++) sum[i] = (sum[i] as number) + (shift[i] as number);
      }
    } finally {
      sampler.dispose();
    }
  }
  return total;
};

/**
 * How often each column [W] of a record's sets is present: codes and the end over visits, labels over
 * patients.
 */
const columnCounts = (layout: Layout, columns: VisitColumns): Float64Array => {
  const counts = new Float64Array(layout.width);
  const add = (column: number, by: number) => {
    counts[column] = (counts[column] as number) + by;
  };
  for (const code of columns.codes) add(code, 1);
  columns.labels.forEach((label, i) => {
    add(layout.codes + (i % layout.labels), label);
  });
  counts[layout.end] = patientCount(columns);
  return counts;
};

/**
 * In how many rows each column [W] can be present: visits, or for labels patients; for a column of a fact the
 * patients who have none of the fact's columns before it.
 */
const columnRows = (layout: Layout, columns: VisitColumns, counts: Float64Array): Float64Array => {
  const rows = new Float64Array(layout.width).fill(visitCount(columns));
  rows.fill(patientCount(columns), layout.codes, layout.start);
  for (const [from, end] of layout.facts)
    for (let column = from + 1; column < end; column++)
      rows[column] = (rows[column - 1] as number) - (counts[column - 1] as number);
  return rows;
};

const logit = (p: number): number => Math.log(p / (1 - p));

/** [W] what to add to each column's logit, after one look at `sampled` records. */
export const logitShifts = (layout: Layout, real: VisitColumns, sampled: VisitColumns): Float64Array => {
  const [counts, sampledCounts] = [columnCounts(layout, real), columnCounts(layout, sampled)];
  const realRows = columnRows(layout, real, counts);
  const allSampledRows = columnRows(layout, sampled, sampledCounts);
  return counts.map((count, column) => {
    if (column >= layout.start && column !== layout.end) return 0;
    const [rows, sampledRows] = [realRows[column] as number, allSampledRows[column] as number];
    // Half a row away from never and always, which no logit says. More would make rare codes commoner than
    // they are.
    const share = Math.min(rows - 0.5, Math.max(0.5, count)) / rows;
    const sampledShare = ((sampledCounts[column] as number) + pull * share) / (sampledRows + pull);
    return stride * (logit(share) - logit(sampledShare));
  });
};

/**
 * [W] log-odds of each column over the rows where it can occur, a half added to both counts so that none is
 * infinite.
 */
export const prevalenceLogits = (layout: Layout, train: VisitColumns): Float32Array => {
  const counts = columnCounts(layout, train);
  const rows = columnRows(layout, train, counts);
  return Float32Array.from(counts, (count, column) =>
    Math.log((count + 0.5) / ((rows[column] as number) - count + 0.5)),
  );
};
