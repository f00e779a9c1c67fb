import type { MetricRow } from '../../../schemas/scorecard.ts';
import type { Patient } from './golden-cohorts.ts';

interface Sources {
  train: readonly Patient[];
  /** Real patients that are in no other part. */
  unseen: readonly Patient[];
  dealt(patients: readonly Patient[]): Patient[];
}

interface TestedFamily {
  /** Synthetic cohorts that every metric of the family must tell apart. */
  better(sources: Sources): readonly Patient[];
  worse(sources: Sources): readonly Patient[];
  /** By which row a metric without a headline is judged. */
  leading: Record<string, string>;
  /** Settings that make metrics small enough for a test. */
  options: Record<string, unknown>;
}

/** What the conformance test must know of a family; a metric needs an entry only where it is no headline metric. */
export const tested: Record<MetricRow['family'], TestedFamily> = {
  similarity: {
    better: ({ train }) => train,
    // Ten of them twice.
    worse: ({ train, dealt }) => [...dealt(train).slice(0, 50), ...dealt(train).slice(0, 10)],
    leading: {
      'code-prevalence-by-frequency': 'head-record-r2',
      'code-pairs-by-frequency': 'torso-record-r2',
      'sequential-pairs-by-frequency': 'head-visit-r2',
      'code-prevalence-by-modality': 'px-record-r2',
      'code-pairs-by-modality': 'dx-record-r2',
      'sequential-pairs-by-modality': 'rx-visit-r2',
      'cross-modality-pairs': 'all-record-r2',
      'codes-per-visit-by-modality': 'dx-wasserstein',
      duplicates: 'share',
    },
    options: {},
  },
  privacy: {
    better: ({ unseen }) => unseen,
    worse: ({ train }) => train.slice(0, 50),
    leading: { 'membership-nearest': 'auc', 'membership-density-ratio': 'auc' },
    options: {},
  },
  utility: {
    better: ({ train }) => train,
    worse: ({ train, dealt }) => dealt(train),
    leading: {},
    options: {},
  },
};
