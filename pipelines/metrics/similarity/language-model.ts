import type { Tally } from '../../generation/generator.ts';
import { patientCount } from '../../patients/visit-columns.ts';
import { defineMetric, type PartialRow } from '../metric.ts';
import { measureRow } from '../rows/measure-row.ts';
import { type ModelScores, modelScores, noScores, truncationNote } from '../rows/model-scores.ts';
import { bootstrapIntervals } from '../statistics/bootstrap.ts';
import { type Measure, measured, missing } from '../statistics/measure.ts';
import { sample } from '../statistics/samples.ts';

/** Sums over patients; under a bootstrap each counts as often as it was drawn. */
interface Sums {
  log: number;
  cells: number;
  positives: number;
  hits: number;
  alarms: number;
  visits: number;
  padded: number;
}
type Reference = NonNullable<ModelScores['train']['reference']>;

const sumsOf = (tally: Tally & Partial<Reference>, counts?: Int32Array): Sums => {
  const sum = (values?: ArrayLike<number>): number => {
    let all = 0;
    for (let p = 0; p < (values?.length ?? 0); p++) {
      const times = counts ? (counts[p] as number) : 1;
      // A patient that is not in the resample must not add zero times infinity.
      if (times > 0) all += times * (values?.[p] as number);
    }
    return all;
  };
  return {
    log: sum(tally.logProbability),
    cells: sum(tally.cells),
    positives: sum(tally.positives),
    hits: sum(tally.truePositives),
    alarms: sum(tally.falsePositives),
    visits: sum(tally.visits),
    padded: (tally.paddedCells ?? 0) * tally.cells.length,
  };
};

const share = (top: number, bottom: number): number | null => (bottom === 0 ? null : top / bottom);
/** e to the mean loss; null where there is nothing to divide by, infinity where it has no number. */
const perplexity = (log: number, count: number): number | null =>
  count === 0 ? null : Math.exp(-log / count);

interface Quantity {
  row: string;
  title: string;
  about: string;
  better?: 'higher';
  range: [number, number];
  of(sums: Sums): number | null;
}
const upward = (least: number): [number, number] => [least, Number.POSITIVE_INFINITY];

const quantities: Quantity[] = [
  {
    row: 'bce',
    title: 'Cross-entropy per decision',
    about:
      'mean loss, in nats, over every yes-or-no the model takes: each label, each code of each visit, and whether the record ends',
    range: upward(0),
    of: ({ log, cells }) => share(0 - log, cells),
  },
  {
    row: 'perplexity',
    title: 'Perplexity per code',
    about:
      'e to the loss per code, label or end that is there: the number of equally likely ones among which the model in effect chooses',
    range: upward(1),
    of: ({ log, positives }) => perplexity(log, positives),
  },
  {
    row: 'f1',
    title: 'F1 of the more likely answer',
    about:
      'F1 over all decisions when each is answered with what the model assigns the higher probability, given the true past',
    better: 'higher',
    range: [0, 1],
    of: ({ positives, hits, alarms }) => share(2 * hits, positives + hits + alarms),
  },
];

const withoutPadding = quantities.filter(({ row }) => row !== 'bce');
const published: Quantity[] = [
  {
    row: 'bce',
    title: 'Loss',
    about: 'mean loss over the padded grid of all records, so that it shrinks as the context grows',
    range: upward(0),
    of: ({ log, padded }) => share(0 - log, padded),
  },
  ...withoutPadding,
  {
    row: 'perplexity-visit',
    title: 'Perplexity per visit',
    about: 'e to the loss per visit, where the labels count as a visit',
    range: upward(1),
    of: ({ log, visits }) => perplexity(log, visits),
  },
  {
    row: 'perplexity-possible',
    title: 'Perplexity per possible code',
    about: 'e to the loss per column of the visit vector, those that cannot occur included',
    range: upward(1),
    of: ({ log, cells }) => perplexity(log, cells),
  },
];

const whyNot = (value: number | null): string | undefined => {
  if (value === null) return 'there is nothing to count: no label, no visit, no code';
  if (!Number.isFinite(value))
    return 'the model assigns probability zero to a code, label or length that some patient has';
  return undefined;
};

type Statistic = (counts?: readonly Int32Array[]) => (number | null)[];

/** Each statistic with its interval; patients of the sides are resampled apart from each other. */
const measures = (
  statistic: Statistic,
  sizes: number[],
  { seed, replicates }: { seed: number; replicates: number },
): Measure[] => {
  const intervals = bootstrapIntervals({ sizes, statistics: statistic, seed, replicates });
  const n = sizes.reduce((a, b) => a + b, 0);
  return statistic().map((value, i) => {
    const why = whyNot(value);
    return why === undefined ? measured(value as number, n, intervals[i]) : missing(why, n);
  });
};

type Draws = { seed: number; replicates: number };

const sideRows = (
  tally: Tally & Partial<Reference>,
  asked: readonly Quantity[],
  name: { prefix: string; suffix: string; note?: string },
  draws: Draws,
): PartialRow[] => {
  const statistic: Statistic = (counts) => asked.map(({ of }) => of(sumsOf(tally, counts?.[0])));
  const found = measures(statistic, [tally.cells.length], draws);
  return asked.map(({ row, title, about, better, range }, i) =>
    measureRow({ row: name.prefix + row, title: title + name.suffix, about }, found[i] as Measure, {
      range,
      ...(better && { better }),
      note: name.note,
    }),
  );
};

/** How much worse the model predicts new patients than its own: memorization shows here first. */
const gapRow = ({ train, holdout }: ModelScores, draws: Draws): PartialRow => {
  const loss = (tally: Tally, counts?: Int32Array) => {
    const { log, cells } = sumsOf(tally, counts);
    return share(0 - log, cells);
  };
  const statistic: Statistic = (counts) => {
    const [a, b] = [loss(holdout, counts?.[0]), loss(train, counts?.[1])];
    return [a === null || b === null ? null : a - b];
  };
  const row = {
    row: 'gap',
    title: 'Cross-entropy, holdout less training patients',
    about:
      'loss per decision on holdout patients less that on training patients: what the model has memorized',
  };
  const sizes = [holdout.cells.length, train.cells.length];
  const [found] = measures(statistic, sizes, draws) as [Measure];
  return measureRow(row, found, { range: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] });
};

const referenceNote =
  'Computed as in the HALO code: every column of the visit vector counts, also those that cannot occur there.';

/** HALO's language-model scores (Theodorou et al. 2023, Table 1); test_model.py lines 84–143. */
export default defineMetric({
  name: 'language-model',
  family: 'similarity',
  title: 'Likelihood of real patients',
  about:
    'How well does the fitted model predict real patients it has not seen, code by code? It judges the model, not the synthetic cohort, and only models that define a probability of a record have it.',
  better: 'lower',
  range: [0, Number.POSITIVE_INFINITY],
  needs: ['train', 'holdout', 'model'],
  reference: 'none',
  async *compute(input) {
    const { model, holdout: unseen, seed, replicates } = input;
    // The model's own patients only serve for comparison: as many as the others are enough.
    const known = sample(input.train, patientCount(unseen), seed, 'train');
    const scores = yield* modelScores({ model, train: known, holdout: unseen });
    const draws = { seed, replicates };
    if (!scores)
      return {
        rows: quantities.map(({ row, title, about }) => measureRow({ row, title, about }, missing(noScores))),
      };
    const { train, holdout } = scores;
    const rows = [
      ...sideRows(holdout, quantities, { prefix: '', suffix: '', note: truncationNote(scores) }, draws),
      ...sideRows(train, quantities, { prefix: 'train-', suffix: ', training patients' }, draws),
      gapRow(scores, draws),
    ];
    if (holdout.reference) {
      const name = { prefix: 'reference-', suffix: ', as HALO counts', note: referenceNote };
      rows.push(...sideRows(holdout.reference, published, name, draws));
    }
    return { rows };
  },
});
