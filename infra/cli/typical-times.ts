import type { StageTimes } from './stage-pace.ts';

/**
 * Seconds of stages and their parts in the demo (100 patients) on a quiet machine of two cores: a prior for
 * stages that have not run before. Only their proportions are used: the speed is that of the run itself.
 * Stages of a generator that is not here are not known. Metrics are those of the branch halo.
 */
export const typicalTimes: Readonly<Record<string, StageTimes>> = {
  extract: { seconds: 0.8 },
  assemble: { seconds: 0.45 },
  tokenize: { seconds: 0.039 },
  report: { seconds: 1.2 },
  'train:marginal': { seconds: 0.013 },
  'generate:marginal': { seconds: 0.04 },
  // How the two share the time is estimated from another run, of eight epochs.
  'train:halo': { seconds: 20, parts: { learning: 15, calibration: 4.5 } },
  'generate:halo': { seconds: 1.3 },
  'train:promptehr': { seconds: 73.0 },
  'generate:promptehr': { seconds: 4.6 },
  similarity: {
    seconds: 5.1,
    parts: {
      'code-pairs': 0.42,
      'code-pairs-by-frequency': 0.57,
      'code-pairs-by-modality': 0.47,
      'code-prevalence': 0.13,
      'code-prevalence-by-frequency': 0.19,
      'code-prevalence-by-modality': 0.21,
      'codes-per-visit': 0.029,
      'codes-per-visit-by-modality': 0.058,
      'cross-modality-pairs': 0.82,
      discriminator: 0.55,
      duplicates: 0.01,
      'imputation-perplexity': 0.06,
      'lab-values': 0.01,
      'label-prevalence': 0.038,
      'language-model': 0.17,
      plausibility: 0.02,
      'sequential-pairs': 0.17,
      'sequential-pairs-by-frequency': 0.28,
      'sequential-pairs-by-modality': 0.28,
      'visit-gaps': 0.01,
      'visits-per-record': 0.014,
    },
  },
  utility: {
    seconds: 6.6,
    parts: {
      'next-visit': 6.5,
      phenotyping: 0.018,
      'phenotyping-as-published': 0.019,
      'rare-conditions': 0.021,
    },
  },
  privacy: {
    seconds: 19.0,
    parts: {
      'attribute-imputation': 8.3,
      'attribute-inference': 0.01,
      copies: 0.011,
      'identity-disclosure': 0.01,
      'membership-density-ratio': 0.01,
      'membership-model': 0.16,
      'membership-nearest': 0.025,
      'membership-shadow': 9.5,
      'nearest-neighbor-accuracy': 0.013,
      'overfitting-gap': 0.17,
    },
  },
};
