import { type Modality, modalities, type TokenKind, tokenKinds } from '../../../schemas/ehr.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import { patientCount, type VisitColumns } from '../../cohort/visit-columns.ts';
import type { ConditionalScores } from '../../generator.ts';
import { type Measure, measured, missing } from '../../measure.ts';
import { defineMetric, type PartialRow } from '../../metric.ts';
import { sample } from '../../privacy/samples.ts';
import { bootstrapIntervals } from '../../statistics/bootstrap.ts';
import {
  crossModalPerplexities,
  longitudinalPerplexities,
  medianPerplexity,
  publishedPerplexity,
  type RankedPatients,
  rankPatients,
} from '../../statistics/imputation-perplexity.ts';
import { kindOfTokens } from '../../tokens/kind-tokens.ts';
import { measureRow, sentence } from '../measure-row.ts';
import { absentSentence, modalityWords } from '../modality-groups.ts';
import { modelConditionals, noConditionals } from '../model-conditionals.ts';

/** The two perplexities: which losses they rest on and how those are put together. */
const measures = [
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
type PerplexityMeasure = (typeof measures)[number];

/** Codes that rows are about. */
interface Group {
  row: string;
  words: string;
  /** Indices into `tokenKinds`. */
  kinds: number[];
  /** Why there is nothing to be told. */
  absent?: string;
}

const wordsOf = (kind: TokenKind): string => (kind === 'gap' ? 'visit gaps' : modalityWords[kind].many);

const groupsOf = (vocabulary: Vocabulary): Group[] => {
  const each = (kind: TokenKind): Group => {
    const absent = kind === 'gap' ? undefined : absentSentence(vocabulary, [kind as Modality]);
    return {
      row: kind,
      words: wordsOf(kind),
      kinds: [tokenKinds.indexOf(kind)],
      ...(absent !== undefined && { absent }),
    };
  };
  const hasGaps = vocabulary.codes.some(({ modality }) => modality === 'gap');
  // A gap is no event: the paper knows none.
  const all = { row: 'all', words: 'all events', kinds: modalities.map((m) => tokenKinds.indexOf(m)) };
  return [all, ...modalities.map(each), ...(hasGaps ? [each('gap')] : [])];
};

/** A row to come: the patients' perplexities in order, or why there are none. */
interface Asked {
  row: Pick<PartialRow, 'row' | 'title' | 'about'>;
  ranked: RankedPatients;
  absent?: string;
}

/** The side a row is about: how its rows are named, its patients, what the model says of them. */
interface Side {
  prefix: string;
  suffix: string;
  columns: VisitColumns;
  scores: ConditionalScores;
}

const askedOf = (side: Side, measure: PerplexityMeasure, { row, words, kinds, absent }: Group): Asked => {
  const { columns, scores } = side;
  const given = { losses: scores[measure.losses], codes: scores.codes, kinds: tokenKinds.length };
  return {
    row: {
      row: `${side.prefix}${measure.row}-${row}`,
      title: `${measure.title}, ${words}${side.suffix}`,
      about: measure.about,
    },
    ranked: rankPatients(measure.of(given, columns.visitOffsets, kinds)),
    ...(absent !== undefined && { absent }),
  };
};

type Draws = { seed: number; replicates: number };

const notesOf = ({ columns, scores }: Side, counted: number): string | undefined => {
  const without = patientCount(columns) - counted;
  const said = [
    ...(without > 0
      ? [`${without} of ${patientCount(columns)} patients have no such code and are left out.`]
      : []),
    ...(scores.cut > 0
      ? [`Of ${scores.cut} patients some visits are told without the oldest ones: the model reads no more.`]
      : []),
  ];
  return said.length > 0 ? said.join(' ') : undefined;
};

/** Medians of one side with intervals from resampled patients. */
const medianRows = (side: Side, asked: readonly Asked[], draws: Draws): PartialRow[] => {
  const intervals = bootstrapIntervals({
    sizes: [patientCount(side.columns)],
    statistics: ([counts]) => asked.map(({ ranked }) => medianPerplexity(ranked, counts)),
    ...draws,
  });
  return asked.map(({ row, ranked, absent }, i) => {
    const value = medianPerplexity(ranked);
    const n = ranked.patients.length;
    if (value === null) return measureRow(row, missing(absent ?? 'no patient has a code of this kind', n));
    if (!Number.isFinite(value))
      return measureRow(
        row,
        missing('half of the patients or more have a code that the model finds impossible', n),
      );
    const note = notesOf(side, n);
    return measureRow(row, measured(value, n, intervals[i]), note === undefined ? {} : { note });
  });
};

/** Patients of one batch in the authors' code unless told otherwise. */
const publishedBatch = 16;
const publishedNotes = {
  lpl: 'As the PromptEHR code computes it, which calls it tpl: the code in the middle of each batch of 16 patients, then of the batches; codes of the same visit are told in their order, and first visits are not scored.',
  mpl: 'As the PromptEHR code computes it, which calls it spl: the code in the middle of each batch of 16 patients, then of the batches; codes of the same visit and kind are told in their order.',
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

const publishedRows = ({ columns, scores }: Side, vocabulary: Vocabulary): PartialRow[] => {
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
      return measureRow(named, found, value === null ? {} : { note: sentence(publishedNotes[row]) });
    }),
  );
};

/** Perplexities lpl and mpl of PromptEHR (Wang and Sun 2022, equations 6–8, Table 2). */
export default defineMetric({
  name: 'imputation-perplexity',
  family: 'similarity',
  title: 'Real visits, filled in by the model',
  about:
    'How well does the fitted model foresee the codes of real visits it has never seen, from the visits before and from the other kinds of codes in the same visit? It judges the model, not the synthetic cohort, and only models that can condition have it.',
  better: 'lower',
  range: [1, Number.POSITIVE_INFINITY],
  needs: ['train', 'holdout', 'model'],
  reference: 'none',
  async *compute({ model, vocabulary, train, holdout, seed, replicates }) {
    const groups = groupsOf(vocabulary);
    // The model's own patients only serve for comparison: as many as the others are enough.
    const known = sample(train, patientCount(holdout), seed, 'train');
    const scores = yield* modelConditionals({ model, train: known, holdout });
    const rowsOf = (side: Side, asked: readonly Group[]) =>
      medianRows(
        side,
        asked.flatMap((group) => measures.map((measure) => askedOf(side, measure, group))),
        { seed, replicates },
      );
    if (!scores) {
      const rows = measures.map(({ row, title, about }) =>
        measureRow({ row: `${row}-all`, title: `${title}, all events`, about }, missing(noConditionals)),
      );
      return { rows };
    }
    const unseen: Side = { prefix: '', suffix: '', columns: holdout, scores: scores.holdout };
    const own: Side = {
      prefix: 'train-',
      suffix: ', training patients',
      columns: known,
      scores: scores.train,
    };
    return {
      rows: [
        ...rowsOf(unseen, groups),
        ...rowsOf(own, groups.slice(0, 1)),
        ...publishedRows(unseen, vocabulary),
      ],
    };
  },
});
