import { readCohort } from '../pipelines/cohort/cohort-file.ts';
import { writeTokenCohort } from '../pipelines/tokens/token-cohort-file.ts';
import { tokenizeCohort } from '../pipelines/tokens/tokenize-cohort.ts';
import { tokenize as contract } from '../schemas/stages/tokenize.ts';
import { defineBody } from './stage-body.ts';

/** Cohort to token cohort; the vocabulary comes from the training split alone. */
export const tokenize = defineBody(contract, {
  code: import.meta.url,
  async *run({ params, inputs }, { open, draft }) {
    const cohort = await readCohort(await open(inputs.cohort));
    yield { step: 1, of: 3, phase: 'cohort read' };
    const { tokens, losses } = tokenizeCohort(cohort, params);
    yield { step: 2, of: 3, phase: 'tokens made' };
    const header = await writeTokenCohort(draft, tokens, { dropped: losses });
    const lost = ({ train, validation, holdout }: typeof losses.codes) => train + validation + holdout;
    const ranges = tokens.vocabulary.codes.filter(({ bucket }) => bucket).length;
    return {
      patients: header.patients,
      visits: header.visits,
      codes: header.codes,
      vocabulary: header.vocabulary,
      ...header.splits,
      unknownCodes: lost(losses.codes),
      visitsLeftEmpty: lost(losses.visits),
      patientsLeftEmpty: lost(losses.patients),
      ...(ranges > 0 && { ranges }),
      ...(losses.numbers && { numbersWithoutRange: lost(losses.numbers) }),
    };
  },
});
