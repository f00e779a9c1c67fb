import { z } from 'zod';
import { scoreByMarginals, smoothedMarginals } from '../../generators/marginal/score.ts';
import type { AsyncSteps } from '../../kernel/steps.ts';
import {
  longestRecord,
  patientCount,
  selectPatients,
  type VisitColumns,
} from '../../patients/visit-columns.ts';
import { defineMetric, type MetricInput } from '../metric.ts';
import { modelScores, noScores, truncationNote } from '../rows/model-scores.ts';
import { sample } from '../statistics/samples.ts';
import { type AttackVariant, attackResult, ours } from './engine/attack-rows.ts';
import { type AttackResult, attackMissing, scoreAttack } from './engine/attack-scores.ts';
import { leastReferences, type ReferenceScores, referenceScores } from './engine/reference-models.ts';

const published: AttackVariant = {
  prefix: 'reference-halo-',
  title: ', as HALO sums it',
  note: 'Computed as in the HALO script: columns that cannot occur at their place are counted too.',
};

const perCell = (logs: Float64Array, cells: Int32Array): Float64Array =>
  logs.map((log, patient) => log / Math.max(1, cells[patient] as number));

/**
 * How much more probable each patient is to the model than to independent marginals of the model's own
 * synthetic cohort: a record that is common everywhere is no sign of membership, one that only the model
 * finds probable is. Any holder of the model can sample such a cohort. The calibration is that of Watson et
 * al. (On the importance of difficulty calibration in membership inference attacks, ICLR 2022), with the
 * synthetic cohort's marginals as the reference model.
 */
async function* calibrated(
  logs: Float64Array,
  columns: VisitColumns,
  { synthetic, vocabulary }: Pick<MetricInput, 'synthetic' | 'vocabulary'>,
): AsyncSteps<Float64Array> {
  const sizes = { codes: vocabulary.codes.length, labels: vocabulary.labels.length };
  const longest = longestRecord(columns);
  const reference = yield* scoreByMarginals(smoothedMarginals(synthetic, sizes, longest), columns);
  return logs.map((log, patient) => log - (reference.logProbability[patient] as number));
}

const byReferences: AttackVariant = {
  prefix: 'trained-calibrated-',
  title: ', calibrated by models of other patients',
};
const rmia: AttackVariant = {
  prefix: 'rmia-',
  title: ', by the mean probability under models of other patients',
  note: 'RMIA: the ratio to the mean of the probabilities, where the other attack takes the mean of their logarithms.',
};

interface ModelOptions {
  references: number;
  referenceSteps: number;
}

/** Every second patient: those attacked, and those that reference models learn from. */
const alternate = (count: number, from: 0 | 1): number[] =>
  Array.from({ length: (count + 1 - from) >> 1 }, (_, i) => 2 * i + from);

/**
 * How much more probable each patient is to the attacked model than to models of the same generator that
 * learned from other real patients: the likelihood ratio of one reference model, or for several the mean of
 * its logarithm. That is offline LiRA with a fixed variance, as its authors advise for few models (Carlini et
 * al.: Membership inference attacks from first principles, S&P 2022, sections V and VI). With several there
 * is RMIA too (Zarifzadeh, Liu, Shokri: Low-cost high-power membership inference attacks, ICML 2024, section
 * 2): a patient x scores the share of population records z with r(x) ≥ γ r(z), where r is the probability
 * under the attacked model over its mean under the references. That share grows with r(x) whatever γ and z
 * are, so ranks by it are ranks by r(x), without the ties that a finite population makes. Every second
 * holdout patient is a reference, the others are attacked, with as many training patients.
 */
async function* referenceAttack(
  input: MetricInput<ModelOptions>,
  attacked: { train: VisitColumns; holdout: VisitColumns },
  logs: { train: Float64Array; holdout: Float64Array },
): AsyncSteps<[AttackVariant, AttackResult][]> {
  const none = (note: string): [AttackVariant, AttackResult][] => [[byReferences, attackMissing(note)]];
  const [references, tested] = [0, 1].map((from) =>
    alternate(patientCount(attacked.holdout), from as 0 | 1),
  ) as [number[], number[]];
  if (references.length < leastReferences || tested.length === 0)
    return none(
      `half of the holdout are ${references.length} patients, and a reference model needs at least ${leastReferences}`,
    );
  if (!input.learner)
    return none('the generator of the model is not known, so no reference model can be trained');
  const members = alternate(patientCount(attacked.train), 1).slice(0, tested.length);
  const sides = [selectPatients(attacked.train, members), selectPatients(attacked.holdout, tested)];
  const task = {
    ...input,
    references: selectPatients(attacked.holdout, references),
    models: input.options.references,
    steps: input.options.referenceSteps,
  };
  const found = yield* referenceScores(task, sides);
  if (!found) return none(noScores);
  const [ofMembers, ofOthers] = found as [ReferenceScores, ReferenceScores];
  const less = (all: Float64Array, chosen: readonly number[], reference: Float64Array) =>
    Float64Array.from(chosen, (patient, i) => (all[patient] as number) - (reference[i] as number));
  const attackBy = (of: keyof ReferenceScores): AttackResult =>
    scoreAttack(
      {
        members: less(logs.train, members, ofMembers[of]),
        nonMembers: less(logs.holdout, tested, ofOthers[of]),
      },
      input,
    );
  const ratio: [AttackVariant, AttackResult] = [byReferences, attackBy('meanLog')];
  // Of one model both means are its own.
  return task.models > 1 ? [ratio, [rmia, attackBy('logMean')]] : [ratio];
}

/**
 * The model attack of HALO (Theodorou et al. 2023, Table 4); evaluate_privacy_membership.py lines 125–145.
 */
export default defineMetric({
  name: 'membership-model',
  family: 'privacy',
  title: 'Membership by the model itself',
  about:
    'Can an attacker who has the fitted model identify training patients? Patients to whom the model assigns a high probability are classified as training patients; as many training patients as non-members are attacked. The synthetic cohort alone does not allow this attack.',
  better: 'lower',
  range: [0, 1],
  needs: ['train', 'holdout', 'model'],
  reference: 'none',
  options: z.object({
    references: z
      .int()
      .nonnegative()
      .max(64)
      .default(0)
      .describe(
        'models of the same generator to train on half of the holdout, for attacks by likelihood ratio (offline LiRA, and RMIA for several); each takes as long as a training on so many patients',
      ),
    referenceSteps: z.int().positive().default(5000).describe('most training steps of each such model'),
  }),
  async *compute(input) {
    const { seed, replicates } = input;
    const size = Math.min(patientCount(input.train), patientCount(input.holdout));
    const attacked = {
      train: sample(input.train, size, seed, 'train'),
      holdout: sample(input.holdout, size, seed, 'test'),
    };
    const scores = yield* modelScores({ model: input.model, ...attacked });
    if (!scores) return attackResult([[ours, attackMissing(noScores)]]);
    const { train, holdout } = scores;
    const attack = (members: Float64Array, nonMembers: Float64Array) =>
      scoreAttack({ members, nonMembers }, { seed, replicates });
    const note = truncationNote(scores);
    const found: [AttackVariant, AttackResult][] = [
      [{ ...ours, note }, attack(train.logProbability, holdout.logProbability)],
      [
        {
          prefix: 'per-decision-',
          title: ', per decision',
          note: 'The mean per decision, so that short records are not taken for probable ones.',
        },
        attack(perCell(train.logProbability, train.cells), perCell(holdout.logProbability, holdout.cells)),
      ],
    ];
    if (patientCount(input.synthetic) > 0)
      found.push([
        {
          prefix: 'calibrated-',
          title: ', calibrated by the synthetic cohort',
          note: 'The model’s log-probability minus that of independent marginals of its own synthetic cohort.',
        },
        attack(
          yield* calibrated(train.logProbability, attacked.train, input),
          yield* calibrated(holdout.logProbability, attacked.holdout, input),
        ),
      ]);
    if (input.options.references > 0) {
      const logs = { train: train.logProbability, holdout: holdout.logProbability };
      found.push(...(yield* referenceAttack(input, attacked, logs)));
    }
    if (train.reference && holdout.reference)
      found.push([published, attack(train.reference.logProbability, holdout.reference.logProbability)]);
    return attackResult(found);
  },
});
