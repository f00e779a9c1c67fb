import { defineMetric } from '../metric.ts';
import { groupedAgreement } from '../rows/grouped-agreement.ts';
import { pairGroups } from '../rows/modality-groups.ts';

/** `sequential-pairs` for each code system alone. */
export default defineMetric({
  name: 'sequential-pairs-by-modality',
  family: 'similarity',
  title: 'Consecutive-visit co-occurrence by modality',
  about:
    'Do diagnoses (procedures, drugs, lab tests) of one visit and those of the next occur together as in real records? Each kind by itself, both codes of the same kind.',
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  compute: (input) => groupedAgreement('sequences', input, () => pairGroups(input.vocabulary)),
});
