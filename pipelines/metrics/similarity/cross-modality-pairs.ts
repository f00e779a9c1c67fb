import { defineMetric } from '../metric.ts';
import { groupedAgreement } from '../rows/grouped-agreement.ts';
import { crossGroups } from '../rows/modality-groups.ts';

/** Pairs across code systems, which the published code never tells apart from the others. */
export default defineMetric({
  name: 'cross-modality-pairs',
  family: 'similarity',
  title: 'Pairs of codes of two modalities in one visit',
  about:
    'Do codes of different kinds go together in a visit as in real records: the drug with the diagnosis, the lab test with the procedure? All such pairs, and each two kinds apart.',
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  compute: (input) => groupedAgreement('pairs', input, () => crossGroups(input.vocabulary)),
});
