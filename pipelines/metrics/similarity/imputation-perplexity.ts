import { type Modality, modalities, type TokenKind, tokenKinds } from '../../../schemas/ehr.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import { conditionalByMarginals, countCodes } from '../../generators/marginal/conditional.ts';
import { patientCount } from '../../patients/visit-columns.ts';
import { defineMetric, type PartialRow } from '../metric.ts';
import { measureRow } from '../rows/measure-row.ts';
import { absentSentence } from '../rows/modality-groups.ts';
import { modelConditionals, noConditionals } from '../rows/model-scores.ts';
import { measures, type PerplexityMeasure, publishedRows, type Side, wordsOf } from '../rows/perplexities.ts';
import { bootstrapIntervals } from '../statistics/bootstrap.ts';
import {
  medianPerplexity,
  perplexityRatio,
  type RankedPatients,
  rankPatients,
} from '../statistics/imputation-perplexity.ts';
import { measured, missing } from '../statistics/measure.ts';
import { sample } from '../statistics/samples.ts';

/** Codes that rows are about. */
interface Group {
  row: string;
  words: string;
  /** Indices into `tokenKinds`. */
  kinds: number[];
  /** Why there is no number. */
  absent?: string;
}

const groupsOf = (vocabulary: Vocabulary): Group[] => {
  const each = (kind: TokenKind): Group => {
    const absent = kind === 'gap' ? undefined : absentSentence(vocabulary, [kind as Modality]);
    return {
      row: kind,
      words: wordsOf(kind),
      kinds: [tokenKinds.indexOf(kind)],
      absent,
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
  perplexities: Float64Array;
  ranked: RankedPatients;
  absent?: string;
}

const askedOf = (side: Side, measure: PerplexityMeasure, { row, words, kinds, absent }: Group): Asked => {
  const { columns, scores } = side;
  const given = { losses: scores[measure.losses], codes: scores.codes, kinds: tokenKinds.length };
  const perplexities = measure.of(given, columns.visitOffsets, kinds);
  return {
    row: {
      row: `${side.prefix}${measure.row}-${row}`,
      title: `${measure.title}, ${words}${side.suffix}`,
      about: measure.about,
    },
    perplexities,
    ranked: rankPatients(perplexities),
    absent,
  };
};

type Draws = { seed: number; replicates: number };

const notesOf = ({ columns, scores }: Side, counted: number): string | undefined => {
  const without = patientCount(columns) - counted;
  const sentences = [
    ...(without > 0
      ? [`${without} of ${patientCount(columns)} patients have no such code and are left out.`]
      : []),
    ...(scores.cut > 0
      ? [
          `Of ${scores.cut} patients some visits are scored without the oldest visits before them: the model reads no more.`,
        ]
      : []),
  ];
  return sentences.length > 0 ? sentences.join(' ') : undefined;
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
        missing('half of the patients or more have a code to which the model assigns probability 0', n),
      );
    const note = notesOf(side, n);
    return measureRow(row, measured(value, n, intervals[i]), { note });
  });
};

/** The same patients by a model and by the marginals: how their perplexities compare, with intervals. */
const ratioRows = (
  side: Side,
  asked: readonly Asked[],
  baseline: readonly Asked[],
  draws: Draws,
): PartialRow[] => {
  const ratioOf = (i: number, counts?: ArrayLike<number>) =>
    perplexityRatio((asked[i] as Asked).perplexities, (baseline[i] as Asked).perplexities, counts);
  const intervals = bootstrapIntervals({
    sizes: [patientCount(side.columns)],
    statistics: ([counts]) => asked.map((_, i) => ratioOf(i, counts)),
    ...draws,
  });
  return asked.flatMap(({ row, ranked, absent }, i) => {
    if (absent !== undefined) return [];
    const value = ratioOf(i);
    const n = ranked.patients.length;
    const named = {
      row: `ratio-${row.row}`,
      title: `${row.title}, ratio to independent marginals`,
      about:
        'a patient’s perplexity divided by that of independent marginals (the training visits’ prevalences), geometric mean over patients: below 1, the model predicts better',
    };
    const found =
      value === null
        ? missing('no patient has a code of this kind', n)
        : Number.isFinite(value)
          ? measured(value, n, intervals[i])
          : missing('some patient has a code to which the model assigns probability 0', n);
    return [measureRow(named, found, { range: [0, Number.POSITIVE_INFINITY] })];
  });
};

/** Perplexities lpl and mpl of PromptEHR (Wang and Sun 2022, equations 6–8, Table 2). */
export default defineMetric({
  name: 'imputation-perplexity',
  family: 'similarity',
  title: 'Imputation perplexity',
  about:
    'How well does the fitted model predict the codes of real visits it has not seen, from the visits before and from the other kinds of codes in the same visit? It judges the model, not the synthetic cohort, and only models that can condition have it.',
  better: 'lower',
  range: [1, Number.POSITIVE_INFINITY],
  needs: ['train', 'holdout', 'model'],
  reference: 'none',
  async *compute({ model, vocabulary, train, holdout, seed, replicates }) {
    const groups = groupsOf(vocabulary);
    // The model's own patients only serve for comparison: as many as the others are enough.
    const known = sample(train, patientCount(holdout), seed, 'train');
    const scores = yield* modelConditionals({ model, train: known, holdout });
    const draws = { seed, replicates };
    const askedIn = (side: Side, asked: readonly Group[]) =>
      asked.flatMap((group) => measures.map((measure) => askedOf(side, measure, group)));
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
    const shares = countCodes(train, vocabulary.codes.length);
    const baseline: Side = { ...unseen, scores: yield* conditionalByMarginals(shares, vocabulary, holdout) };
    const asked = askedIn(unseen, groups);
    return {
      rows: [
        ...medianRows(unseen, asked, draws),
        ...ratioRows(unseen, asked, askedIn(baseline, groups), draws),
        ...medianRows(own, askedIn(own, groups.slice(0, 1)), draws),
        ...publishedRows(unseen, vocabulary),
      ],
    };
  },
});
