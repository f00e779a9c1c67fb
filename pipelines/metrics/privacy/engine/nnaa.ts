import { phase, type Steps } from '../../../kernel/steps.ts';
import { patientCount } from '../../../patients/visit-columns.ts';
import { bootstrapIntervals } from '../../statistics/bootstrap.ts';
import { type Distance, keysFor } from '../../statistics/distance-rows.ts';
import { type Measure, measured, missing } from '../../statistics/measure.ts';
import { nearest, nearestBothWays } from '../../statistics/nearest.ts';
import {
  type PrivacyCohorts,
  sample,
  tooFewPatients,
  withCodes,
  withVisits,
} from '../../statistics/samples.ts';

/**
 * `corrected`: symmetric distance with labels, the patient itself left out, exact copies count.
 * `pyhealth`: as PyHealth 0a75f99 computes it: the same without labels, and records without codes vanish.
 * `published`: as the HALO script computes it (evaluate_privacy_nearest.py:24-76): asymmetric, and every
 * distance of 0 is passed over, so exact copies are not seen.
 */
export const nnaaForms = ['corrected', 'pyhealth', 'published'] as const;
export type NnaaForm = (typeof nnaaForms)[number];

const distanceOf: Record<NnaaForm, Distance> = { corrected: 'hamming', pyhealth: 'codes', published: 'halo' };

interface NnaaOptions {
  form: NnaaForm;
  seed: number;
  replicates: number;
  /** Most patients taken from each cohort; always as many from one as from the others. */
  size?: number;
}

/** Distance of each patient of one cohort to the nearest of another (of its own: but itself). */
interface NnaaDistances {
  testToSynthetic: Int32Array;
  testToTest: Int32Array;
  trainToSynthetic: Int32Array;
  trainToTrain: Int32Array;
  syntheticToTest: Int32Array;
  syntheticToTrain: Int32Array;
  syntheticToSynthetic: Int32Array;
}

export interface NnaaResult {
  /** Test against synthetic: 0.5 when they are indistinguishable, 1 when they are far apart, 0 for copies. */
  testAccuracy: Measure;
  trainAccuracy: Measure;
  /** The privacy loss NNAAR: test less train accuracy. 0 when training patients are no nearer than others. */
  loss: Measure;
  distances: NnaaDistances | undefined;
}

/** Cohorts as the form reads them, cut to one size by seeded draws. */
function prepare(cohorts: PrivacyCohorts, { form, seed, size }: NnaaOptions): PrivacyCohorts {
  let { train, test, synthetic } = cohorts;
  if (form === 'published') synthetic = withVisits(synthetic);
  if (form === 'pyhealth')
    [train, test, synthetic] = [withCodes(train), withCodes(test), withCodes(synthetic)];
  const most = Math.min(patientCount(train), patientCount(test), patientCount(synthetic), size ?? Infinity);
  return {
    train: sample(train, most, seed, 'train'),
    test: sample(test, most, seed, 'test'),
    synthetic: sample(synthetic, most, seed, 'synthetic'),
  };
}

function* measureDistances({ train, test, synthetic }: PrivacyCohorts, form: NnaaForm): Steps<NnaaDistances> {
  const [TRAIN, TEST, SYNTHETIC] = [0, 1, 2];
  const distance = distanceOf[form];
  const shared = keysFor([train, test, synthetic], distance);
  const copiesCount = form !== 'published';
  const search = (query: number, reference: number) =>
    nearest(
      { shared, query, reference, distance, skipSelf: copiesCount && query === reference },
      copiesCount,
    );
  function* across(real: number, at: number): Steps<[Int32Array, Int32Array]> {
    if (form === 'published') {
      const there = yield* phase('real to synthetic', at, 7, search(real, SYNTHETIC));
      const back = yield* phase('synthetic to real', at + 1, 7, search(SYNTHETIC, real));
      return [there.distance, back.distance];
    }
    const both = nearestBothWays({ shared, query: real, reference: SYNTHETIC, distance });
    const { ofQueries, ofReferences } = yield* phase('real and synthetic', at, 7, both);
    return [ofQueries, ofReferences];
  }
  const [testToSynthetic, syntheticToTest] = yield* across(TEST, 0);
  const [trainToSynthetic, syntheticToTrain] = yield* across(TRAIN, 2);
  const testToTest = yield* phase('test to test', 4, 7, search(TEST, TEST));
  const trainToTrain = yield* phase('train to train', 5, 7, search(TRAIN, TRAIN));
  const syntheticToSynthetic = yield* phase('synthetic to synthetic', 6, 7, search(SYNTHETIC, SYNTHETIC));
  return {
    testToSynthetic,
    syntheticToTest,
    trainToSynthetic,
    syntheticToTrain,
    testToTest: testToTest.distance,
    trainToTrain: trainToTrain.distance,
    syntheticToSynthetic: syntheticToSynthetic.distance,
  };
}

/** 1 where the nearest of the other cohort is farther than the nearest of one's own; ties are 0. */
const farther = (other: Int32Array, own: Int32Array): Uint8Array =>
  Uint8Array.from(other, (distance, i) => (distance > (own[i] as number) ? 1 : 0));

/** Accuracies and loss of distances, which may have been measured in shards and put together. */
function scoreNnaa(found: NnaaDistances, options: Pick<NnaaOptions, 'seed' | 'replicates'>): NnaaResult {
  const test = farther(found.testToSynthetic, found.testToTest);
  const train = farther(found.trainToSynthetic, found.trainToTrain);
  const asTest = farther(found.syntheticToTest, found.syntheticToSynthetic);
  const asTrain = farther(found.syntheticToTrain, found.syntheticToSynthetic);
  const accuracies = (share: (flags: Uint8Array, group: number) => number) => {
    const testAccuracy = (share(test, 0) + share(asTest, 2)) / 2;
    const trainAccuracy = (share(train, 1) + share(asTrain, 2)) / 2;
    return [testAccuracy, trainAccuracy, testAccuracy - trainAccuracy];
  };
  const plain = accuracies((flags) => flags.reduce((sum, flag) => sum + flag, 0) / flags.length);
  const intervals = bootstrapIntervals({
    ...options,
    sizes: [test.length, train.length, asTest.length],
    statistics: (counts) =>
      accuracies(
        (flags, group) =>
          flags.reduce((sum, flag, i) => sum + flag * (counts[group]?.[i] as number), 0) / flags.length,
      ),
  });
  const [testAccuracy, trainAccuracy, loss] = plain.map((value, i) =>
    measured(value, test.length, intervals[i]),
  ) as [Measure, Measure, Measure];
  return { testAccuracy, trainAccuracy, loss, distances: found };
}

/**
 * Nearest neighbor adversarial accuracy and its privacy loss (Yale et al. 2020; HALO, supplement). The
 * intervals resample the patients' verdicts; nearest neighbors are not searched anew in each resample.
 */
export function* nnaa(cohorts: PrivacyCohorts, options: NnaaOptions): Steps<NnaaResult> {
  const sampled = prepare(cohorts, options);
  // With one patient there is no "nearest other" in a cohort.
  const note = tooFewPatients(sampled, 2);
  if (note) {
    const none = missing(note);
    return { testAccuracy: none, trainAccuracy: none, loss: none, distances: undefined };
  }
  return scoreNnaa(yield* measureDistances(sampled, options.form), options);
}
