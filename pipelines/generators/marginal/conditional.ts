import { tokenKinds } from '../../../schemas/ehr.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import type { ConditionalScores } from '../../generation/generator.ts';
import type { AsyncSteps } from '../../kernel/steps.ts';
import { kindOfTokens } from '../../patients/kind-tokens.ts';
import { type VisitColumns, visitCount } from '../../patients/visit-columns.ts';
import type { Marginals } from './score.ts';

/** Shares of visits that have each code. */
type CodeShares = Pick<Marginals, 'codes' | 'visits'>;

/** What scoring codes by their prevalences goes by, counted in training visits. */
export const countCodes = (train: VisitColumns, codes: number): CodeShares => {
  const visits = Math.max(1, visitCount(train));
  const counts = new Float64Array(codes);
  for (const code of train.codes) counts[code] = (counts[code] as number) + 1;
  return { codes: counts.map((count) => count / visits), visits: Float64Array.of(visits) };
};

/**
 * `[codes]` −ln of a code's share among the occurrences of its kind in training, half an occurrence added to
 * each code of the kind: what no training patient has is rare, not impossible, so that every patient's
 * perplexity is finite. As a drawing model it stays impossible.
 */
const lossOfCodes = ({ codes, visits }: CodeShares, vocabulary: Vocabulary): Float64Array => {
  const kinds = kindOfTokens(vocabulary);
  const count = (code: number): number => (codes[code] as number) * (visits[0] as number) + 0.5;
  const occurrences = new Float64Array(tokenKinds.length);
  kinds.forEach((kind, code) => {
    occurrences[kind] = (occurrences[kind] as number) + count(code);
  });
  return Float64Array.from(kinds, (kind, code) => Math.log((occurrences[kind] as number) / count(code)));
};

/** Visits between two safe points. */
const slice = 65_536;

/** Neither the past nor the other kinds of a visit tell this model anything: all its losses are the same. */
export async function* conditionalByMarginals(
  marginals: CodeShares,
  vocabulary: Vocabulary,
  columns: VisitColumns,
): AsyncSteps<ConditionalScores> {
  const loss = lossOfCodes(marginals, vocabulary);
  const kinds = kindOfTokens(vocabulary);
  const visits = visitCount(columns);
  const losses = new Float64Array(visits * tokenKinds.length);
  const codes = new Int32Array(losses.length);
  const byCode = Float64Array.from(columns.codes, (code) => loss[code] as number);
  const ownPast = Float64Array.from(byCode);
  for (let visit = 0; visit < visits; visit++) {
    const [from, to] = [columns.codeOffsets[visit] as number, columns.codeOffsets[visit + 1] as number];
    for (let i = from; i < to; i++) {
      const at = visit * tokenKinds.length + (kinds[columns.codes[i] as number] as number);
      losses[at] = (losses[at] as number) + (byCode[i] as number);
      codes[at] = (codes[at] as number) + 1;
    }
    if ((visit + 1) % slice === 0) yield { step: visit + 1, of: visits, phase: 'scoring' };
  }
  // The authors' code scores no first visit where it asks for the next one.
  const { visitOffsets, codeOffsets } = columns;
  for (let patient = 0; patient + 1 < visitOffsets.length; patient++) {
    const first = visitOffsets[patient] as number;
    if (first < (visitOffsets[patient + 1] as number))
      ownPast.fill(Number.NaN, codeOffsets[first], codeOffsets[first + 1]);
  }
  return {
    longitudinal: losses,
    crossModal: losses,
    codes,
    cut: 0,
    reference: { longitudinal: ownPast, crossModal: byCode },
  };
}
