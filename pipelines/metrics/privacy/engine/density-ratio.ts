import { phase, type Steps } from '../../../kernel/steps.ts';
import { patientCount } from '../../../patients/visit-columns.ts';
import { divide, type PrivacyCohorts, sample, tooFewPatients } from '../../statistics/samples.ts';
import { type AttackResult, attackMissing, type ScoreOptions, scoreAttack } from './attack-scores.ts';
import { distanceRows, keysFor, never } from './distance-rows.ts';
import type { KeySets, SharedKeys } from './key-sets.ts';
import { nearest } from './nearest.ts';

interface DensityRatioOptions extends ScoreOptions {
  /** Most members attacked, and as many non-members. */
  size?: number;
}

interface DensityRatioResult extends AttackResult {
  /** The kernel's decay per key that differs, as chosen; null where the attack could not be made. */
  decay: number | null;
}

/** Decays tried: from a kernel that sees whole neighborhoods to one that sees the nearest patient only. */
const decays = [0.25, 0.5, 1, 2, 3, 4, 6, 8];

/** Reference patients the decay is chosen on. */
const choiceSize = 1000;

const distance = 'hamming';

interface DensityTask {
  shared: SharedKeys;
  query: number;
  reference: number;
  skipSelf?: boolean;
}

/**
 * Log kernel density of each query under the reference cohort, for each decay, up to a constant that depends
 * on decay and key count alone. The kernel is Aitchison and Aitken's for binary vectors (Biometrika 1976):
 * exp(−decay × Hamming distance). `[decays][queries]`; −∞ where there is no reference patient.
 */
function* logDensities(task: DensityTask, tried: readonly number[]): Steps<Float64Array[]> {
  const search = { ...task, distance } as const;
  // Summed relative to the nearest, so that nothing underflows; in patient order, so blocks do not matter.
  const closest = (yield* phase('nearest', 0, 2, nearest(search))).distance;
  const sums = tried.map(() => new Float64Array(closest.length));
  const weights = tried.map((decay) => Float64Array.from({ length: 1024 }, (_, d) => Math.exp(-decay * d)));
  const summing = distanceRows(search, (query, row, width, _first, offset) => {
    const shift = offset - (closest[query] as number);
    for (const [i, table] of weights.entries()) {
      let sum = sums[i]?.[query] as number;
      for (let j = 0; j < width; j++) sum += table[shift + (row[j] as number)] ?? 0;
      (sums[i] as Float64Array)[query] = sum;
    }
  });
  yield* phase('density', 1, 2, summing);
  const count = (task.shared.sets[task.reference] as KeySets).count - (task.skipSelf ? 1 : 0);
  return sums.map((sum, i) =>
    sum.map((value, q) =>
      closest[q] === never
        ? -Infinity
        : Math.log(value / count) - (tried[i] as number) * (closest[q] as number),
    ),
  );
}

/**
 * The decay under which each reference patient has the highest likelihood given all the others (leave one
 * out).
 */
function* chooseDecay(shared: SharedKeys, reference: number): Steps<number> {
  const densities = yield* logDensities({ shared, query: reference, reference, skipSelf: true }, decays);
  const scores = densities.map((density, i) => {
    // The kernel is a probability over 2^keyCount vectors: each key keeps its value with 1 / (1 + e^−decay).
    const normal = shared.keyCount * Math.log1p(Math.exp(-(decays[i] as number)));
    return density.reduce((sum, value) => sum + value - normal, 0);
  });
  return decays[scores.indexOf(Math.max(...scores))] as number;
}

/**
 * Membership by density ratio, in the manner of DOMIAS (van Breugel et al., AISTATS 2023): a patient around
 * whom the generator puts more mass than the population does was likely trained on. Half of the test patients
 * stand for the population and are not attacked; the kernel's width is chosen on them alone.
 */
export function* densityRatioAttack(
  cohorts: PrivacyCohorts,
  options: DensityRatioOptions,
): Steps<DensityRatioResult> {
  const note = tooFewPatients({ train: cohorts.train, synthetic: cohorts.synthetic });
  // Two to be references (each needs another to be likely under), and at least one to be attacked.
  const tooFew = note ?? tooFewPatients({ test: cohorts.test }, 3);
  if (tooFew) return { ...attackMissing(tooFew), decay: null };
  const { seed } = options;
  const half = Math.max(2, Math.floor(patientCount(cohorts.test) / 2));
  const [population, others] = divide(cohorts.test, half, seed, 'test');
  const size = Math.min(patientCount(cohorts.train), patientCount(others), options.size ?? Infinity);
  const members = sample(cohorts.train, size, seed, 'train');
  const nonMembers = sample(others, size, seed, 'test');
  const chosenOn = sample(population, choiceSize, seed, 'test');
  const shared = keysFor([members, nonMembers, cohorts.synthetic, population, chosenOn], distance);
  const decay = yield* phase('kernel', 0, 5, chooseDecay(shared, 4));
  const density = (query: number, reference: number, at: number) =>
    phase('density', at, 5, logDensities({ shared, query, reference }, [decay]));
  const scores: Float64Array[] = [];
  for (const query of [0, 1]) {
    const [synthetic] = yield* density(query, 2, 1 + 2 * query);
    const [real] = yield* density(query, 3, 2 + 2 * query);
    scores.push(Float64Array.from(synthetic ?? [], (value, i) => value - (real?.[i] as number)));
  }
  const [first, second] = scores as [Float64Array, Float64Array];
  return { ...scoreAttack({ members: first, nonMembers: second }, options), decay };
}
