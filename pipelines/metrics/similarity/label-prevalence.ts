import type { Steps } from '../../kernel/steps.ts';
import type { VisitColumns } from '../../patients/visit-columns.ts';
import { defineMetric, type MetricResult, type PartialRow } from '../metric.ts';
import { referenceNote } from '../rows/measure-row.ts';
import { type PatientWeights, resampledRows } from '../rows/resampled-rows.ts';

/** Patients with each label, and all; each as often as its weight. */
const positives = ({ labels }: VisitColumns, weights: Int32Array, width: number) => {
  const counts = new Array<number>(width).fill(0);
  let n = 0;
  for (let patient = 0; patient < weights.length; patient++) {
    const weight = weights[patient] as number;
    n += weight;
    for (let label = 0; label < width; label++)
      if (labels[patient * width + label]) counts[label] = (counts[label] as number) + weight;
  }
  return { counts, n };
};

/** Without the patients that have no visit. */
const present = ({ visitOffsets }: VisitColumns, weights: Int32Array): Int32Array =>
  weights.map((weight, patient) => (visitOffsets[patient + 1] === visitOffsets[patient] ? 0 : weight));

const shares = ({ counts, n }: { counts: number[]; n: number }): number[] | null =>
  n === 0 ? null : counts.map((count) => count / n);

const meanGap = (a: number[] | null, b: number[] | null): number | null =>
  a && b && a.length > 0 ? a.reduce((sum, p, i) => sum + Math.abs(p - (b[i] ?? 0)), 0) / a.length : null;

const labelRows = (
  labels: readonly string[],
  { train, synthetic }: { train: VisitColumns; synthetic: VisitColumns },
  weights: PatientWeights,
): PartialRow[] => {
  const real = positives(train, weights.real, labels.length);
  const all = positives(synthetic, weights.synthetic, labels.length);
  const kept = positives(synthetic, present(synthetic, weights.synthetic), labels.length);
  const [theirs, ours] = [shares(real), shares(all)];
  const because =
    labels.length === 0 ? 'This cohort has no labels.' : 'One of the two cohorts has no patients.';
  const perLabel = labels.map(
    (label, i): PartialRow => ({
      row: `label: ${label}`,
      title: label,
      about: 'share of patients with this label',
      value: ours?.[i] ?? null,
      real: theirs?.[i] ?? null,
      n: all.n,
      better: 'closer-to-real',
      patients: real.counts[i] ?? 0,
      behind: { real: real.counts[i] ?? 0, judged: all.counts[i] ?? 0 },
      note: ours && theirs ? undefined : because,
    }),
  );
  const summary = (row: string, value: number | null, n: number, note?: string): PartialRow => ({
    row,
    title: `Mean absolute difference of label prevalence${note === undefined ? '' : ', as published'}`,
    about:
      'absolute difference between the synthetic and the real share of patients with a label, averaged over all labels',
    value,
    n,
    note: value === null ? because : note,
    parts: { groups: perLabel, rows: 1 },
  });
  return [
    summary('mean-absolute-difference', meanGap(theirs, ours), all.n),
    summary('reference-mean-absolute-difference', meanGap(theirs, shares(kept)), kept.n, referenceNote),
    ...perLabel,
  ];
};

/** Label probabilities of HALO (Theodorou et al. 2023, Table 2); evaluate_datasets.py lines 32 and 120. */
export default defineMetric({
  name: 'label-prevalence',
  family: 'similarity',
  title: 'Label prevalence',
  about: 'Is each label (phenotype) as common among synthetic patients as among real ones?',
  better: 'lower',
  range: [0, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  headline: { 'mean-absolute-difference': 'Label prevalence, mean difference' },
  *compute(input): Steps<MetricResult> {
    const { labels } = input.vocabulary;
    return { rows: yield* resampledRows(input, [0, 1], (weights) => labelRows(labels, input, weights)) };
  },
});
