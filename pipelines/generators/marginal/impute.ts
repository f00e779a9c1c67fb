import type { TokenKind } from '../../../schemas/ehr.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import type { Imputation, ImputeRequest } from '../../generation/generator.ts';
import { chosenCodes, ImputedCodes } from '../../generation/imputed-codes.ts';
import type { AsyncSteps } from '../../kernel/steps.ts';
import { tokensByKind } from '../../patients/kind-tokens.ts';
import { patientCount } from '../../patients/visit-columns.ts';
import type { Marginals } from './score.ts';

/** Patients between two safe points. */
const slice = 1024;

/** Every visit gets every code with the share of training visits that have it, whatever else is known. */
export async function* imputeByMarginals(
  { codes: shares }: Marginals,
  vocabulary: Vocabulary,
  { columns, task, kinds, top }: ImputeRequest,
): AsyncSteps<Imputation> {
  const { visitOffsets, codeOffsets } = columns;
  const wanted = (kind: TokenKind) => kinds === undefined || kinds.includes(kind);
  const lists = [...tokensByKind(vocabulary)]
    .filter(([kind]) => wanted(kind))
    .map(([, codes]) => ({
      codes,
      probabilities: Float64Array.from(codes, (code) => shares[code] as number),
    }));
  const whole = chosenCodes(lists, top);
  const imputed = new ImputedCodes();
  const patients = patientCount(columns);
  for (let patient = 0; patient < patients; patient++) {
    const [first, end] = [visitOffsets[patient] as number, visitOffsets[patient + 1] as number];
    if (task === 'next-visit') imputed.add(patient, end - first, whole);
    else
      for (let visit = first; visit < end; visit++) {
        const own = columns.codes.subarray(codeOffsets[visit], codeOffsets[visit + 1]);
        imputed.add(patient, visit - first, task === 'completion' ? chosenCodes(lists, top, own) : whole);
      }
    if ((patient + 1) % slice === 0) yield { step: patient + 1, of: patients, phase: 'imputing' };
  }
  return imputed.build();
}
