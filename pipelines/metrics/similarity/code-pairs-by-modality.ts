import { defineMetric } from '../metric.ts';
import { groupedAgreement } from '../rows/grouped-agreement.ts';
import { pairGroups } from '../rows/modality-groups.ts';

/** `code-pairs` for each code system alone. */
export default defineMetric({
  name: 'code-pairs-by-modality',
  family: 'similarity',
  title: 'Same-visit co-occurrence by modality',
  about:
    'Do two diagnoses, two procedures, two drugs or two lab tests share a visit as often as in real records? Each kind apart; shares are of all patients and all visits.',
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  compute: (input) => groupedAgreement('pairs', input, () => pairGroups(input.vocabulary)),
});
