import { patientCount, type VisitColumns } from '../patients/visit-columns.ts';

/** How much of a synthetic cohort stands in the training patients it might have been built around. */
export interface CopiedCodes {
  /** Of all synthetic codes, those that the training patient of the same index has in the visit of the same index. */
  fraction: number;
  /** The same, expected if every synthetic patient met a random training patient: what no copying gives. */
  byChance: number;
}

const visitCodes = ({ codeOffsets, codes }: VisitColumns, visit: number): Int32Array =>
  codes.subarray(codeOffsets[visit], codeOffsets[visit + 1]);

/** Training patients with a code in their visit of an index, by `visit index × vocabulary + code`. */
const countByPlace = (training: VisitColumns, vocabulary: number): Map<number, number> => {
  const counts = new Map<number, number>();
  for (let patient = 0; patient < patientCount(training); patient++) {
    const first = training.visitOffsets[patient] as number;
    for (let visit = first; visit < (training.visitOffsets[patient + 1] as number); visit++)
      for (const code of visitCodes(training, visit)) {
        const place = (visit - first) * vocabulary + code;
        counts.set(place, (counts.get(place) ?? 0) + 1);
      }
  }
  return counts;
};

/**
 * Synthetic patient i is held against training patient i, counted around where there are more synthetic patients; both
 * numbers are 0 where either side is empty. A sampler that starts from nothing real has a fraction near `byChance`; the
 * published PromptEHR sampler copies half of each visit (docs/reference-code.md, defect 17).
 */
export const copiedCodes = (
  synthetic: VisitColumns,
  training: VisitColumns,
  vocabulary: number,
): CopiedCodes => {
  const real = patientCount(training);
  const total = synthetic.codes.length;
  if (real === 0 || total === 0) return { fraction: 0, byChance: 0 };
  const counts = countByPlace(training, vocabulary);
  let [copied, expected] = [0, 0];
  for (let patient = 0; patient < patientCount(synthetic); patient++) {
    const [first, last] = [synthetic.visitOffsets[patient], synthetic.visitOffsets[patient + 1]] as [
      number,
      number,
    ];
    const twin = training.visitOffsets[patient % real] as number;
    const twinEnd = training.visitOffsets[(patient % real) + 1] as number;
    for (let visit = first; visit < last; visit++) {
      const place = visit - first;
      const theirs = new Set(twin + place < twinEnd ? visitCodes(training, twin + place) : []);
      for (const code of visitCodes(synthetic, visit)) {
        if (theirs.has(code)) copied++;
        expected += counts.get(place * vocabulary + code) ?? 0;
      }
    }
  }
  return { fraction: copied / total, byChance: expected / real / total };
};
