import { defineMetric } from '../metric.ts';
import { groupedAgreement } from '../rows/grouped-agreement.ts';
import { codeGroups } from '../rows/modality-groups.ts';

/** `code-prevalence` for each code system alone. */
export default defineMetric({
  name: 'code-prevalence-by-modality',
  family: 'similarity',
  title: 'Code prevalence by modality',
  about:
    'Do diagnoses, procedures, drugs and lab tests, each kind apart, occur as often as in real records? Shares are of all patients and all visits.',
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  compute: (input) => groupedAgreement('codes', input, () => codeGroups(input.vocabulary)),
});
