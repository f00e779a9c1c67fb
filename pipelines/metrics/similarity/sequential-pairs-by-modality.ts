import { defineMetric } from '../metric.ts';
import { groupedAgreement } from '../rows/grouped-agreement.ts';
import { pairGroups } from '../rows/modality-groups.ts';

/** `sequential-pairs` for each code system alone. */
export default defineMetric({
  name: 'sequential-pairs-by-modality',
  family: 'similarity',
  title: 'Pairs of codes in adjacent visits by modality',
  about:
    'Does a diagnosis (procedure, drug, lab test) lead to the next visit’s as in real records? Each kind apart, both codes of the same kind.',
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  compute: (input) => groupedAgreement('sequences', input, () => pairGroups(input.vocabulary)),
});
