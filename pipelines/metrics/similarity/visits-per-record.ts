import { patientCount, selectPatients } from '../../cohort/visit-columns.ts';
import { defineMetric, type PartialRow } from '../../metric.ts';
import { lengthHistogram } from '../../statistics/lengths.ts';
import { nonEmptyPatients, patientsWithVisits, referenceNote } from '../empty-records.ts';
import { lengthRows, lengthSeries } from '../length-rows.ts';

/** Record lengths of HALO (Theodorou et al. 2023, Table 2); evaluate_datasets.py lines 55–65. */
export default defineMetric({
  name: 'visits-per-record',
  family: 'similarity',
  title: 'Visits per patient',
  about: 'Do synthetic patients come as often as real ones?',
  better: 'lower',
  range: [0, Number.POSITIVE_INFINITY],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  headline: { wasserstein: 'Visits, distance' },
  compute({ train: real, synthetic }) {
    const what = 'visits per patient';
    const histogram = lengthHistogram(real.visitOffsets);
    const delivered = lengthHistogram(synthetic.visitOffsets);
    const n = patientCount(synthetic);
    const empty: PartialRow = {
      row: 'empty-share',
      title: 'Patients without any visit',
      about: 'share of patients about whom nothing was generated; they count in every other row',
      value: n === 0 ? null : 1 - patientsWithVisits(synthetic) / n,
      real: histogram.n === 0 ? null : 1 - patientsWithVisits(real) / histogram.n,
      n,
      better: 'closer-to-real',
      ...(n === 0 ? { note: 'The synthetic cohort has no patients.' } : {}),
    };
    const present = selectPatients(synthetic, nonEmptyPatients(synthetic));
    const reference = lengthRows(what, histogram, lengthHistogram(present.visitOffsets))
      .slice(0, 2)
      .map((row) => ({
        note: referenceNote,
        ...row,
        row: `reference-${row.row}`,
        title: `${row.title}, the paper's way`,
      }));
    return {
      rows: [...lengthRows(what, histogram, delivered), empty, ...reference],
      series: { lengths: lengthSeries(histogram, delivered, histogram.counts) },
    };
  },
});
