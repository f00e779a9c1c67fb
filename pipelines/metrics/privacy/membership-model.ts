import { scoreByMarginals, smoothedMarginals } from '../../generators/marginal/score.ts';
import type { AsyncSteps } from '../../kernel/steps.ts';
import { lengthHistogram, patientCount, type VisitColumns } from '../../patients/visit-columns.ts';
import { defineMetric, type MetricInput } from '../metric.ts';
import { modelScores, noScores, truncationNote } from '../rows/model-scores.ts';
import { sample } from '../statistics/samples.ts';
import { type AttackVariant, attackResult, ours } from './engine/attack-rows.ts';
import { attackMissing, scoreAttack } from './engine/attack-scores.ts';

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
  const longest = lengthHistogram(columns.visitOffsets).counts.length - 1;
  const reference = yield* scoreByMarginals(smoothedMarginals(synthetic, sizes, longest), columns);
  return logs.map((log, patient) => log - (reference.logProbability[patient] as number));
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
    const found: [AttackVariant, ReturnType<typeof attack>][] = [
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
    if (train.reference && holdout.reference)
      found.push([published, attack(train.reference.logProbability, holdout.reference.logProbability)]);
    return attackResult(found);
  },
});
