import type { TokenKind } from '../../../schemas/ehr.ts';
import { modalities, tokenKinds } from '../../../schemas/ehr.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import type { ConditionalScores } from '../../generation/generator.ts';
import { kindOfTokens } from '../../patients/kind-tokens.ts';
import { patientCount, type VisitColumns } from '../../patients/visit-columns.ts';
import type { PartialRow } from '../metric.ts';
import {
  crossModalPerplexities,
  longitudinalPerplexities,
  publishedPerplexity,
} from '../statistics/imputation-perplexity.ts';
import { type Measure, measured, missing } from '../statistics/measure.ts';
import { measureRow, sentence } from './measure-row.ts';
import { absentSentence, modalityWords } from './modality-groups.ts';

/** The two perplexities: which losses they rest on and how those are put together. */
export const measures = [
  {
    row: 'lpl',
    title: 'Longitudinal perplexity',
    about:
      'given the visits before: the number of equally likely codes of a kind among which the model in effect chooses, median over patients',
    losses: 'longitudinal',
    of: longitudinalPerplexities,
  },
  {
    row: 'mpl',
    title: 'Cross-modality perplexity',
    about:
      'given the visits before and the other kinds of the same visit: the number of equally likely codes of a kind among which the model in effect chooses, median over patients',
    losses: 'crossModal',
    of: crossModalPerplexities,
  },
] as const;
export type PerplexityMeasure = (typeof measures)[number];

/** A kind of codes, many of them. */
export const wordsOf = (kind: TokenKind): string =>
  kind === 'gap' ? 'visit gaps' : modalityWords[kind].many;

/** The side a row is about: how its rows are named, its patients, and the model's scores of them. */
export interface Side {
  prefix: string;
  suffix: string;
  columns: VisitColumns;
  scores: ConditionalScores;
}

/** Default number of patients of one batch in the authors' code. */
const publishedBatch = 16;
const publishedNotes = {
  lpl: 'As the PromptEHR code computes it, which calls it tpl: the code in the middle of each batch of 16 patients, then of the batches; the decoder is given the codes of the same visit in their order, and first visits are not scored.',
  mpl: 'As the PromptEHR code computes it, which calls it spl: the code in the middle of each batch of 16 patients, then of the batches; the decoder is given the codes of the same visit and kind in their order.',
};

/** One kind's losses, batch by batch of patients in their order; what is not scored is left out. */
const batchesOf = (
  losses: Float64Array,
  kind: number,
  kinds: Uint8Array,
  columns: VisitColumns,
): number[][] => {
  const { visitOffsets, codeOffsets, codes } = columns;
  const start = (patient: number) => codeOffsets[visitOffsets[patient] as number] as number;
  const patients = patientCount(columns);
  return Array.from({ length: Math.ceil(patients / publishedBatch) }, (_, batch) => {
    const found: number[] = [];
    const end = start(Math.min(patients, (batch + 1) * publishedBatch));
    for (let i = start(batch * publishedBatch); i < end; i++) {
      const loss = losses[i] as number;
      if (kinds[codes[i] as number] === kind && !Number.isNaN(loss)) found.push(loss);
    }
    return found;
  });
};

/** What the authors' code makes of the same losses, kind by kind; nothing where the model has none such. */
export const publishedRows = ({ columns, scores }: Side, vocabulary: Vocabulary): PartialRow[] => {
  const { reference } = scores;
  if (!reference) return [];
  const kinds = kindOfTokens(vocabulary);
  const there = modalities.filter((modality) => absentSentence(vocabulary, [modality]) === undefined);
  return there.flatMap((modality) =>
    measures.map(({ row, title, losses }) => {
      const kind = tokenKinds.indexOf(modality);
      const batches = batchesOf(reference[losses], kind, kinds, columns);
      const n = batches.reduce((sum, { length }) => sum + length, 0);
      const value = publishedPerplexity(batches);
      const found: Measure = value === null ? missing('no code of this kind is scored') : measured(value, n);
      const named = {
        row: `reference-${row}-${modality}`,
        title: `${title}, ${wordsOf(modality)}, as published`,
        about: 'one over the probability of a code, median over the codes of a batch, median over batches',
      };
      return measureRow(named, found, {
        note: value === null ? undefined : sentence(publishedNotes[row]),
      });
    }),
  );
};
