import { type Modality, modalities } from '../../../schemas/ehr.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import type { Steps } from '../../kernel/steps.ts';
import type { VisitColumns } from '../../patients/visit-columns.ts';
import { type Histogram, lengthHistogram } from '../../patients/visit-columns.ts';
import { defineMetric, type MetricResult, type PartialRow } from '../metric.ts';
import { lengthRows, visitWeights } from '../rows/length-rows.ts';
import { absentSentence, modalityWords } from '../rows/modality-groups.ts';
import { resampledRows } from '../rows/resampled-rows.ts';

/** Offsets of the visits among the codes of the modality alone. */
const offsetsOf = (
  { codes, codeOffsets }: VisitColumns,
  vocabulary: Vocabulary,
  modality: Modality,
): Int32Array => {
  const own = Uint8Array.from(vocabulary.codes, (code) => (code.modality === modality ? 1 : 0));
  const offsets = new Int32Array(codeOffsets.length);
  for (let visit = 0; visit + 1 < offsets.length; visit++) {
    let count = offsets[visit] as number;
    for (let i = codeOffsets[visit] as number; i < (codeOffsets[visit + 1] as number); i++)
      count += own[codes[i] as number] as number;
    offsets[visit + 1] = count;
  }
  return offsets;
};

const without = ({ counts, n }: Histogram): number | null => (n === 0 ? null : (counts[0] ?? 0) / n);

const withoutRow = (many: string, real: Histogram, synthetic: Histogram): PartialRow => ({
  row: 'without',
  title: `Visits without ${many}`,
  about: `share of visits that have no ${many} at all`,
  value: without(synthetic),
  real: without(real),
  behind: { real: real.counts[0] ?? 0, judged: synthetic.counts[0] ?? 0 },
  n: synthetic.n,
  better: 'closer-to-real',
  range: [0, 1],
  note: synthetic.n === 0 ? 'The synthetic cohort has no visits.' : undefined,
});

const modalityRows = (
  vocabulary: Vocabulary,
  modality: Modality,
  real: Histogram,
  ours: Histogram,
): PartialRow[] => {
  const { many } = modalityWords[modality];
  const all = [...lengthRows(`${many} per visit`, real, ours), withoutRow(many, real, ours)];
  const note = absentSentence(vocabulary, [modality]);
  // One row states that a modality is absent; the others would only repeat it.
  const kept =
    note === undefined
      ? all
      : all.filter(({ row }) => row === 'wasserstein').map((row) => ({ ...row, value: null, note }));
  return kept.map((row) => ({ ...row, row: `${modality}-${row.row}` }));
};

/** `codes-per-visit` for each code system alone. */
export default defineMetric({
  name: 'codes-per-visit-by-modality',
  family: 'similarity',
  title: 'Codes per visit by modality',
  about:
    'Does a synthetic visit have as many diagnoses, procedures, drugs and lab tests as a real one? Every visit counts, also one that has none of them.',
  better: 'lower',
  range: [0, Number.POSITIVE_INFINITY],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  *compute(input): Steps<MetricResult> {
    const { vocabulary, train, synthetic } = input;
    const offsets = modalities.map((modality) => ({
      modality,
      real: offsetsOf(train, vocabulary, modality),
      ours: offsetsOf(synthetic, vocabulary, modality),
    }));
    const rows = yield* resampledRows(input, [0, Number.POSITIVE_INFINITY], (weights) => {
      const real = visitWeights(train, weights.real);
      const ours = visitWeights(synthetic, weights.synthetic);
      return offsets.flatMap((of) =>
        modalityRows(vocabulary, of.modality, lengthHistogram(of.real, real), lengthHistogram(of.ours, ours)),
      );
    });
    return { rows };
  },
});
