import { phase, type Steps } from '../../../kernel/steps.ts';
import { patientCount } from '../../../patients/visit-columns.ts';
import { type Distance, keysFor } from '../../statistics/distance-rows.ts';
import { halfSampleIntervals } from '../../statistics/half-samples.ts';
import { type Measure, measured, missing } from '../../statistics/measure.ts';
import { firstKept, type Nearest, nearestFew } from '../../statistics/nearest.ts';
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

/** Neighbors looked at per patient: that half of the patients lack all of them has a probability of 1/256. */
const few = 8;

/** The `few` nearest of another cohort (of one's own: but oneself) for each patient. */
interface NnaaDistances {
  testToSynthetic: Nearest;
  testToTest: Nearest;
  trainToSynthetic: Nearest;
  trainToTrain: Nearest;
  syntheticToTest: Nearest;
  syntheticToTrain: Nearest;
  syntheticToSynthetic: Nearest;
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
  const search = (name: string, at: number, query: number, reference: number) => {
    const skipSelf = copiesCount && query === reference;
    const steps = nearestFew({ shared, query, reference, distance, skipSelf }, few, copiesCount);
    return phase(name, at, 7, steps);
  };
  return {
    testToSynthetic: yield* search('test to synthetic', 0, TEST, SYNTHETIC),
    syntheticToTest: yield* search('synthetic to test', 1, SYNTHETIC, TEST),
    trainToSynthetic: yield* search('train to synthetic', 2, TRAIN, SYNTHETIC),
    syntheticToTrain: yield* search('synthetic to train', 3, SYNTHETIC, TRAIN),
    testToTest: yield* search('test to test', 4, TEST, TEST),
    trainToTrain: yield* search('train to train', 5, TRAIN, TRAIN),
    syntheticToSynthetic: yield* search('synthetic to synthetic', 6, SYNTHETIC, SYNTHETIC),
  };
}

/** Distance of a patient to the nearest that is kept, or to the farthest known where none is. */
const nearestKept = (found: Nearest, patient: number, kept?: Uint8Array): number => {
  const at = firstKept(found, few, patient, kept);
  return found.distance[at < 0 ? (patient + 1) * few - 1 : at] as number;
};

/** Share of patients whose nearest of the other cohort is farther than that of their own; ties are not. */
function fartherShare(
  other: Nearest,
  own: Nearest,
  keptOther: Uint8Array | undefined,
  keptOwn: Uint8Array | undefined,
): number {
  const count = other.distance.length / few;
  let [farther, judged] = [0, 0];
  for (let i = 0; i < count; i++) {
    if (keptOwn?.[i] === 0) continue;
    judged++;
    if (nearestKept(other, i, keptOther) > nearestKept(own, i, keptOwn)) farther++;
  }
  return farther / judged;
}

/** Accuracies and loss of distances. */
function scoreNnaa(found: NnaaDistances, options: Pick<NnaaOptions, 'seed' | 'replicates'>): NnaaResult {
  const n = found.testToTest.distance.length / few;
  const accuracies = ([train, test, synthetic]: readonly Uint8Array[]) => {
    const asReal = fartherShare(found.testToSynthetic, found.testToTest, synthetic, test);
    const asTrain = fartherShare(found.trainToSynthetic, found.trainToTrain, synthetic, train);
    const made = found.syntheticToSynthetic;
    const testAccuracy = (asReal + fartherShare(found.syntheticToTest, made, test, synthetic)) / 2;
    const trainAccuracy = (asTrain + fartherShare(found.syntheticToTrain, made, train, synthetic)) / 2;
    return [testAccuracy, trainAccuracy, testAccuracy - trainAccuracy];
  };
  const plain = accuracies([]);
  const ranges = [[0, 1] as const, [0, 1] as const, [-1, 1] as const];
  const intervals = halfSampleIntervals(plain, ranges, {
    ...options,
    sizes: [n, n, n],
    statistics: accuracies,
  });
  const [testAccuracy, trainAccuracy, loss] = plain.map((value, i) => measured(value, n, intervals[i])) as [
    Measure,
    Measure,
    Measure,
  ];
  return { testAccuracy, trainAccuracy, loss, distances: found };
}

/**
 * Nearest neighbor adversarial accuracy and its privacy loss (Yale et al. 2020; HALO, supplement). For the
 * intervals, nearest neighbors are looked up anew in half of the patients of each cohort.
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
