import type { PatientScores } from '../../generation/generator.ts';
import { patientCount } from '../../patients/visit-columns.ts';
import { defineMetric, type PartialRow } from '../metric.ts';
import { measureRow } from '../rows/measure-row.ts';
import { modelScores, noScores, truncationNote } from '../rows/model-scores.ts';
import { bootstrapIntervals } from '../statistics/bootstrap.ts';
import { measured, missing } from '../statistics/measure.ts';
import { sample } from '../statistics/samples.ts';

/** Most patients of either side that are scored. */
const most = 5000;

/** Per patient: −ln of the record's probability, and the codes and labels present that it is spread over. */
interface Losses {
  loss: Float64Array;
  positives: Float64Array;
}

/** Patients without any code or label have no loss per code and are left out. */
const lossesOf = ({ logProbability, positives }: PatientScores): Losses => {
  const kept = [...positives.keys()].filter((patient) => (positives[patient] as number) > 0);
  return {
    loss: Float64Array.from(kept, (patient) => -(logProbability[patient] as number)),
    positives: Float64Array.from(kept, (patient) => positives[patient] as number),
  };
};

/**
 * Mean loss in nats per code or label that is present. `times`: how often a resample has each patient;
 * absent: once.
 */
const perPositive = ({ loss, positives }: Losses, times?: Int32Array): number => {
  let [sum, n] = [0, 0];
  for (let patient = 0; patient < loss.length; patient++) {
    const weight = times ? (times[patient] as number) : 1;
    sum += weight * (loss[patient] as number);
    n += weight * (positives[patient] as number);
  }
  return sum / n;
};

const titles = {
  gap: [
    'Loss of holdout minus training patients',
    'nats per code; 0 where the model knows training patients no better than others',
  ],
  'training-loss': ['Loss of training patients', 'nats per code or label that is present'],
  'holdout-loss': ['Loss of holdout patients', 'nats per code or label that is present'],
} as const;

/**
 * The gap that memorisation leaves: a model that has learned its training patients by heart finds them much
 * more probable than other patients of the same hospital. No attack is needed to see it. Yeom, Giacomelli,
 * Fredrikson, Jha: Privacy risk in machine learning: analyzing the connection to overfitting (CSF 2018) bound
 * the advantage of a membership attack by this gap.
 */
export default defineMetric({
  name: 'overfitting-gap',
  family: 'privacy',
  title: 'Overfitting of the model',
  about:
    'How much more probable does the fitted model find its training patients than other real patients, per code? A gap shows that the model has memorised patients, whether or not an attack makes use of it.',
  better: 'lower',
  range: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  needs: ['train', 'holdout', 'model'],
  reference: 'none',
  headline: { gap: 'Overfitting gap, nats per code' },
  async *compute({ train, holdout, model, seed, replicates }) {
    const scores = yield* modelScores({
      model,
      train: sample(train, Math.min(most, patientCount(train)), seed, 'train'),
      holdout: sample(holdout, Math.min(most, patientCount(holdout)), seed, 'test'),
    });
    const names = Object.keys(titles) as (keyof typeof titles)[];
    const none = (note: string) => ({
      rows: names.map((row): PartialRow => {
        const [title, about] = titles[row];
        return measureRow({ row, title, about }, missing(note));
      }),
    });
    if (!scores) return none(noScores);
    const [seen, unseen] = [lossesOf(scores.train), lossesOf(scores.holdout)];
    if (seen.loss.length === 0 || unseen.loss.length === 0)
      return none('no patient of one side has a code or a label, so there is no loss per code');
    if (![...seen.loss, ...unseen.loss].every(Number.isFinite))
      return none(
        'the model gives some real patient no probability at all, so its mean loss is infinite and no gap can be stated',
      );
    const numbers = (a?: Int32Array, b?: Int32Array): number[] => {
      const [known, other] = [perPositive(seen, a), perPositive(unseen, b)];
      return [other - known, known, other];
    };
    const intervals = bootstrapIntervals({
      seed,
      replicates,
      sizes: [seen.loss.length, unseen.loss.length],
      statistics: ([a, b]) => numbers(a, b),
    });
    const sizes = [seen.loss.length + unseen.loss.length, seen.loss.length, unseen.loss.length];
    const note = truncationNote(scores);
    return {
      rows: numbers().map((value, i): PartialRow => {
        const row = names[i] as keyof typeof titles;
        const [title, about] = titles[row];
        return measureRow({ row, title, about }, measured(value, sizes[i] as number, intervals[i]), { note });
      }),
    };
  },
});
