import { patientCount, type VisitColumns } from '../../cohort/visit-columns.ts';
import { defineMetric, type PartialRow } from '../../metric.ts';
import { nonEmptyPatients, referenceNote } from '../empty-records.ts';

const positives = ({ labels }: VisitColumns, patients: Iterable<number>, width: number): number[] => {
  const counts = new Array<number>(width).fill(0);
  for (const patient of patients)
    for (let label = 0; label < width; label++)
      counts[label] = (counts[label] ?? 0) + (labels[patient * width + label] ?? 0);
  return counts;
};

const shares = (counts: number[], n: number): number[] | null =>
  n === 0 ? null : counts.map((count) => count / n);

const meanGap = (a: number[] | null, b: number[] | null): number | null =>
  a && b && a.length > 0 ? a.reduce((sum, p, i) => sum + Math.abs(p - (b[i] ?? 0)), 0) / a.length : null;

/** Label probabilities of HALO (Theodorou et al. 2023, Table 2); evaluate_datasets.py lines 32 and 120. */
export default defineMetric({
  name: 'label-prevalence',
  family: 'similarity',
  title: 'Labels',
  about: 'Is each label (phenotype) as common among synthetic patients as among real ones?',
  better: 'lower',
  range: [0, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  headline: { 'mean-absolute-difference': 'Labels, mean gap' },
  compute({ vocabulary, train: real, synthetic }) {
    const width = vocabulary.labels.length;
    const everyone = (columns: VisitColumns) => Array(patientCount(columns)).keys();
    const n = patientCount(synthetic);
    const realCounts = positives(real, everyone(real), width);
    const theirs = shares(realCounts, patientCount(real));
    const ours = shares(positives(synthetic, everyone(synthetic), width), n);
    const present = nonEmptyPatients(synthetic);
    const kept = shares(positives(synthetic, present, width), present.length);
    const because = width === 0 ? 'This cohort has no labels.' : 'One of the two cohorts has no patients.';
    const summary = (row: string, value: number | null, patients: number, note?: string): PartialRow => ({
      row,
      title: `Mean absolute difference of label prevalence${note === undefined ? '' : ", the paper's way"}`,
      about: 'by how much the share of patients with a label is off, averaged over all labels',
      value,
      n: patients,
      ...(value === null ? { note: because } : note === undefined ? {} : { note }),
    });
    const perLabel = vocabulary.labels.map(
      (label, i): PartialRow => ({
        row: `label: ${label}`,
        title: label,
        about: 'share of patients with this label',
        value: ours?.[i] ?? null,
        real: theirs?.[i] ?? null,
        n,
        better: 'closer-to-real',
        patients: realCounts[i] ?? 0,
        ...(ours && theirs ? {} : { note: because }),
      }),
    );
    return {
      rows: [
        summary('mean-absolute-difference', meanGap(theirs, ours), n),
        summary('reference-mean-absolute-difference', meanGap(theirs, kept), present.length, referenceNote),
        ...perLabel,
      ],
    };
  },
});
