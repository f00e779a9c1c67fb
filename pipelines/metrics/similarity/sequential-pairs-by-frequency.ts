import { defineMetric } from '../metric.ts';
import { cutOptions, frequencyGroups, strataAbout } from '../rows/frequency-groups.ts';
import { groupedAgreement } from '../rows/grouped-agreement.ts';

/** `sequential-pairs` in three parts; the papers plot all keys in one. The cut points are ours. */
export default defineMetric({
  name: 'sequential-pairs-by-frequency',
  family: 'similarity',
  title: 'Consecutive-visit co-occurrence by frequency',
  about: `Do common and rare pairs of a code and a code of the next visit occur as often as in real records? ${strataAbout}`,
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  options: cutOptions,
  compute: ({ options, ...input }) =>
    groupedAgreement('sequences', input, frequencyGroups('sequential pair', options)),
});
