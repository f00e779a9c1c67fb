import { defineMetric } from '../metric.ts';
import { groupedAgreement } from '../rows/grouped-agreement.ts';
import { crossGroups } from '../rows/modality-groups.ts';

/** Pairs across code systems, which the published code does not separate from the others. */
export default defineMetric({
  name: 'cross-modality-pairs',
  family: 'similarity',
  title: 'Same-visit co-occurrence across modalities',
  about:
    'Do codes of different kinds occur together in a visit as in real records: the drug with the diagnosis, the lab test with the procedure? All such pairs, and each two kinds apart.',
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  compute: (input) => groupedAgreement('pairs', input, () => crossGroups(input.vocabulary)),
});
