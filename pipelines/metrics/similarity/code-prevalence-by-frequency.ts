import { defineMetric } from '../metric.ts';
import { cutOptions, frequencyGroups, strataAbout } from '../rows/frequency-groups.ts';
import { groupedAgreement } from '../rows/grouped-agreement.ts';

/** `code-prevalence` in three parts; the papers plot all keys in one. The cut points are ours. */
export default defineMetric({
  name: 'code-prevalence-by-frequency',
  family: 'similarity',
  title: 'Code prevalence by frequency',
  about: `Are common and rare codes as frequent as in real records? ${strataAbout}`,
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  options: cutOptions,
  compute: ({ options, ...input }) => groupedAgreement('codes', input, frequencyGroups('code', options)),
});
