import { defineMetric } from '../metric.ts';
import { phenotypingOptions, phenotypingResult } from './engine/phenotyping-result.ts';

/** HALO (Theodorou et al. 2023, Table 4); evaluate_synthetic_training.py, with its leak. */
export default defineMetric({
  name: 'phenotyping-as-published',
  family: 'utility',
  title: 'Phenotyping, as published',
  about:
    'The same with the codes that define a label left in the input, as in the published numbers: a classifier need only look for them, so these numbers say little about the patients.',
  better: 'higher',
  range: [0, 1],
  needs: ['train', 'validation', 'holdout', 'synthetic'],
  reference: 'none',
  trains: true,
  options: phenotypingOptions,
  compute: (input) => phenotypingResult('paper', input),
});
