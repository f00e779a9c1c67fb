import type { AsyncSteps } from '../../kernel/steps.ts';
import type { Example } from '../../nn/networks/visit-batch.ts';
import { patientCount, selectPatients, type VisitColumns, visitsOf } from '../../patients/visit-columns.ts';
import { bootstrapIntervals } from '../statistics/bootstrap.ts';
import { type Measure, measured, missing } from '../statistics/measure.ts';
import { areaUnder, rank, rocSteps } from '../statistics/roc.ts';
import { draw } from './examples.ts';
import { fitLogistic, logOdds } from './logistic.ts';
import { joinFeatures, patientFeatures } from './patient-features.ts';
import { type ClassifierOptions, classifierDefaults, trainClassifiers } from './train-classifiers.ts';

export interface DiscriminatorOptions {
  /**
   * `linear`: logistic regression on codes, pairs and lengths; `lstm`: the phenotyping classifier on visits.
   */
  classifier: 'linear' | 'lstm';
  seed: number;
  replicates: number;
  /** Tokens of the vocabulary. */
  tokens: number;
  /** Most patients of each side. */
  size: number;
  folds: number;
  /** Quadratic penalty of the linear one. */
  penalty: number;
  lstm?: Partial<Omit<ClassifierOptions, 'seed' | 'tokens'>>;
}

export const discriminatorDefaults = {
  classifier: 'linear',
  replicates: 1000,
  size: 5000,
  folds: 5,
  penalty: 1,
} as const;

/**
 * Real first, then synthetic, each in random order; patient i of either is asked about in fold i mod folds.
 */
interface Sides {
  real: VisitColumns;
  synthetic: VisitColumns;
}

const uses = { real: 2 ** 22, synthetic: 2 ** 22 + 1 } as const;

/** Patients with visits of both sides, equally many. */
const drawSides = (real: VisitColumns, synthetic: VisitColumns, size: number, seed: number): Sides => {
  const able = (cohort: VisitColumns) =>
    [...Array(patientCount(cohort)).keys()].filter((patient) => visitsOf(cohort, patient) > 0);
  const [a, b] = [able(real), able(synthetic)];
  const count = Math.min(size, a.length, b.length);
  return {
    real: selectPatients(real, draw(a, count, seed, uses.real)),
    synthetic: selectPatients(synthetic, draw(b, count, seed, uses.synthetic)),
  };
};

/** Score of being synthetic for every patient, real ones first, by a model that has not seen the patient. */
function* linearScores(sides: Sides, options: DiscriminatorOptions) {
  const count = patientCount(sides.real);
  const { folds, penalty, tokens } = options;
  const features = joinFeatures(
    patientFeatures(sides.real, tokens),
    patientFeatures(sides.synthetic, tokens),
  );
  const targets = Uint8Array.from({ length: 2 * count }, (_, row) => (row < count ? 0 : 1));
  const all = Int32Array.from(targets.keys());
  const scores = new Float64Array(2 * count);
  for (let fold = 0; fold < folds; fold++) {
    const rows = all.filter((row) => (row % count) % folds !== fold);
    const weights = fitLogistic({ features, rows, targets, penalty });
    for (const row of all) if ((row % count) % folds === fold) scores[row] = logOdds(features, row, weights);
    yield { step: fold + 1, of: folds };
  }
  return scores;
}

async function* lstmScores(sides: Sides, options: DiscriminatorOptions): AsyncSteps<Float64Array> {
  const count = patientCount(sides.real);
  const { folds, seed, tokens } = options;
  const examples = Array.from(
    { length: 2 * count },
    (_, row): Example =>
      row < count
        ? { cohort: sides.real, patient: row, positive: false }
        : { cohort: sides.synthetic, patient: row - count, positive: true },
  );
  const part = (keep: (place: number) => boolean) => [...examples.keys()].filter((row) => keep(row % count));
  const asked = Array.from({ length: folds }, (_, fold) => part((place) => place % folds === fold));
  const tasks = asked.map((rows, fold) => {
    // One in ten of the others picks the epoch; they are in random order, so every tenth will do.
    const validates = (place: number) => Math.floor(place / folds) % 10 === 0;
    const pick = (keep: (place: number) => boolean) =>
      part((place) => place % folds !== fold && keep(place)).map((row) => examples[row] as Example);
    return {
      id: 2 ** 20 + fold,
      train: pick((place) => !validates(place)),
      validation: pick(validates),
      score: rows.map((row) => examples[row] as Example),
    };
  });
  const results = yield* trainClassifiers(tasks, { ...classifierDefaults, ...options.lstm, seed, tokens });
  const scores = new Float64Array(2 * count);
  for (const [fold, rows] of asked.entries())
    for (const [i, row] of rows.entries()) scores[row] = results[fold]?.scores[i] as number;
  return scores;
}

/**
 * By how much an interval that resamples the patients asked about is too narrow, since other training
 * patients would have given other models: cross-validation over k folds has 1 / k + 1 / (k − 1) of the
 * variance of one fold where such resampling sees 1 / k (Nadeau and Bengio, Machine Learning 52, 2003,
 * section 3).
 */
const trainingFactor = (folds: number): number => Math.sqrt(1 + folds / (folds - 1));

/** Mean over the folds of the AUC inside the fold: scores of two models do not compare. */
const foldedArea = (scores: Float64Array, { folds, seed, replicates }: DiscriminatorOptions): Measure => {
  const count = scores.length / 2;
  const places = Int32Array.from({ length: count }, (_, place) => place);
  const rankings = Array.from({ length: folds }, (_, fold) => {
    const own = places.filter((place) => place % folds === fold);
    const pick = (first: number) => Float64Array.from(own, (place) => scores[first + place] as number);
    return { own, ranking: rank({ members: pick(count), nonMembers: pick(0) }) };
  });
  const compute = (counts?: readonly Int32Array[]): number => {
    const areas = rankings.map(({ own, ranking }) => {
      const times = (of: Int32Array | undefined) => own.map((place) => of?.[place] ?? 0);
      return areaUnder(rocSteps(ranking, counts && [times(counts[1]), times(counts[0])]));
    });
    return areas.reduce((sum, area) => sum + area, 0) / folds;
  };
  const [interval] = bootstrapIntervals({
    sizes: [count, count],
    seed,
    replicates,
    statistics: (counts) => [compute(counts)],
  });
  const value = compute();
  const factor = trainingFactor(folds);
  return measured(
    value,
    2 * count,
    interval && [
      Math.max(0, value - factor * Math.max(0, value - interval[0])),
      Math.min(1, value + factor * Math.max(0, interval[1] - value)),
    ],
  );
};

/**
 * How well a classifier separates synthetic patients from real ones: the cross-validated AUC, 0.5 where it
 * cannot and 1 where it always can. The interval resamples the patients asked about and is widened for the
 * models, which are trained once. Equally many of both sides, patients without visits left out; real patients
 * may be those the generator was trained on or not, as the caller likes. A sentence where a side has fewer
 * than ten a fold.
 */
export async function* discriminate(
  real: VisitColumns,
  synthetic: VisitColumns,
  options: DiscriminatorOptions,
): AsyncSteps<Measure> {
  const sides = drawSides(real, synthetic, options.size, options.seed);
  const count = patientCount(sides.real);
  if (count < 10 * options.folds)
    return missing(
      `there are fewer than ${10 * options.folds} patients with visits on a side, ` +
        `which ${options.folds}-fold cross-validation needs`,
      2 * count,
    );
  const scoring = options.classifier === 'linear' ? linearScores : lstmScores;
  return foldedArea(yield* scoring(sides, options), options);
}
