import { defineMetric } from '../metric.ts';
import { phenotypingOptions, phenotypingResult } from './engine/phenotyping-result.ts';

/** HALO (Theodorou et al. 2023, Table 4); evaluate_synthetic_training.py, without its leak. */
export default defineMetric({
  name: 'phenotyping',
  family: 'utility',
  title: 'Phenotyping',
  about:
    "Does a classifier learn as much of each label from synthetic patients as from real ones? It is tested on real patients; codes that define a label are removed from its classifier's input. Labels without a known definition keep their codes, so they have means of their own.",
  better: 'higher',
  range: [0, 1],
  needs: ['train', 'validation', 'holdout', 'synthetic'],
  reference: 'none',
  trains: true,
  headline: {
    'gap-synthetic-auc': 'Phenotyping, AUC difference',
    'undefined-gap-synthetic-auc': 'Phenotyping, labels without definition',
  },
  options: phenotypingOptions,
  compute: (input) => phenotypingResult('clean', input),
});
