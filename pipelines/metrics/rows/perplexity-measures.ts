import type { TokenKind } from '../../../schemas/ehr.ts';
import type { ConditionalScores } from '../../generation/generator.ts';
import type { VisitColumns } from '../../patients/visit-columns.ts';
import { crossModalPerplexities, longitudinalPerplexities } from '../statistics/imputation-perplexity.ts';
import { modalityWords } from './modality-groups.ts';

/** The two perplexities: which losses they rest on and how those are put together. */
export const measures = [
  {
    row: 'lpl',
    title: 'Longitudinal perplexity',
    about:
      'given the visits before: among how many equally likely codes of a kind the model would seem to choose, median over patients',
    losses: 'longitudinal',
    of: longitudinalPerplexities,
  },
  {
    row: 'mpl',
    title: 'Cross-modality perplexity',
    about:
      'given the visits before and the other kinds of the same visit: among how many equally likely codes of a kind the model would seem to choose, median over patients',
    losses: 'crossModal',
    of: crossModalPerplexities,
  },
] as const;
export type PerplexityMeasure = (typeof measures)[number];

/** A kind of codes, many of them. */
export const wordsOf = (kind: TokenKind): string =>
  kind === 'gap' ? 'visit gaps' : modalityWords[kind].many;

/** The side a row is about: how its rows are named, its patients, what the model says of them. */
export interface Side {
  prefix: string;
  suffix: string;
  columns: VisitColumns;
  scores: ConditionalScores;
}
