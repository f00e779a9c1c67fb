import type { VisitColumns } from '../../../pipelines/patients/visit-columns.ts';
import type { MetricRow } from '../../../schemas/scorecard.ts';
import type { Patient } from './golden-cohorts.ts';
import { plantedPatients, sign } from './utility/planted-patients.ts';

/** Patients as a metric is given them. */
export interface Parties {
  train: readonly Patient[];
  validation: readonly Patient[];
  holdout: readonly Patient[];
  /** Unless told otherwise, real patients that are in no other part. */
  synthetic: readonly Patient[];
  /** Whom the model knows, where a metric asks it; unless told otherwise, the training patients. */
  fitted?: readonly Patient[];
}

interface Sources extends Parties {
  dealt(patients: readonly Patient[]): Patient[];
}

interface TestedFamily {
  /** Cohorts that every metric of the family must tell apart. */
  better(sources: Sources): Partial<Parties>;
  worse(sources: Sources): Partial<Parties>;
  /** By which row a metric without a headline is judged. */
  leading: Record<string, string>;
  /** Settings that make metrics small enough for a test. */
  options: Record<string, unknown>;
}

const asPatients = ({ visitOffsets, codeOffsets, codes, labels }: VisitColumns): Patient[] =>
  Array.from({ length: visitOffsets.length - 1 }, (_, p) => ({
    visits: Array.from(codeOffsets.subarray(visitOffsets[p], visitOffsets[p + 1]), (start, v) => {
      const visit = codes.subarray(start, codeOffsets[(visitOffsets[p] as number) + v + 1]);
      // Without the code that gives the label away; its hint remains.
      return [...visit].filter((code) => code !== sign);
    }),
    // Two more labels that nobody has, as the other cohorts here have five.
    labels: [...labels.subarray(p * 3, p * 3 + 3), 0, 0],
  }));

/** Cohorts with a pattern to learn; where `wrong`, the synthetic one has lost it: labels and codes are dealt. */
const learnable = (wrong: boolean): Parties => {
  const made = asPatients(plantedPatients(160, 3, { scrambled: wrong }));
  return {
    train: asPatients(plantedPatients(160, 0)),
    validation: asPatients(plantedPatients(60, 1)),
    holdout: asPatients(plantedPatients(80, 2)),
    synthetic: made.map(({ visits, labels }, i) => ({
      visits,
      labels: wrong ? (made[(i + 1) % made.length]?.labels ?? labels) : labels,
    })),
  };
};

const quick = { epochs: 10, leastUpdates: 40, learningRate: 0.02, batchSize: 40, patience: 10 };
const classifier = { embedding: 12, hidden: 8, layers: 1, dropout: 0.1, ...quick };
const attacker = {
  embedding: 16,
  hidden: 16,
  middle: 32,
  learningRate: 0.02,
  batchSize: 40,
  leastUpdates: 0,
};
const mixes = [
  { real: 0, synthetic: 40 },
  { real: 0, synthetic: 160 },
  { real: 100, synthetic: 0 },
];

/** What the conformance test must know of a family; a metric needs an entry only where it is no headline metric. */
export const tested: Record<MetricRow['family'], TestedFamily> = {
  similarity: {
    better: ({ train, holdout }) => ({ synthetic: train, fitted: [...train, ...holdout] }),
    // Ten of them twice; a model that knows one of its own patients.
    worse: ({ train, dealt }) => ({
      fitted: train.slice(0, 1),
      synthetic: [...dealt(train).slice(0, 50), ...dealt(train).slice(0, 10)],
    }),
    leading: {
      'code-prevalence-by-frequency': 'head-record-r2',
      'code-pairs-by-frequency': 'torso-record-r2',
      'sequential-pairs-by-frequency': 'head-visit-r2',
      'code-prevalence-by-modality': 'px-record-r2',
      'code-pairs-by-modality': 'dx-record-r2',
      'sequential-pairs-by-modality': 'rx-visit-r2',
      'cross-modality-pairs': 'all-record-r2',
      'codes-per-visit-by-modality': 'dx-wasserstein',
      'code-triples': 'visit-r2',
      'codes-per-record': 'wasserstein',
      incoherence: 'always-missing',
      'lagged-pairs': 'record-pearson',
      'later-pairs': 'record-pearson',
      duplicates: 'share',
      demographics: 'code-differences',
      'subgroup-fidelity': 'codes-worst',
      'lab-values': 'shift',
      'visit-gaps': 'by-length',
      'return-times': 'distance',
      'language-model': 'f1',
      'imputation-perplexity': 'lpl-all',
    },
    options: { incoherence: { share: 0.7 } },
  },
  privacy: {
    better: ({ holdout }) => ({ fitted: holdout }),
    worse: ({ train }) => ({ synthetic: train.slice(0, 50), fitted: train }),
    leading: {
      'membership-nearest': 'auc',
      'membership-density-ratio': 'auc',
      'membership-local-likelihood': 'auc',
      'membership-visits': 'auc',
      'membership-model': 'auc',
      'membership-shadow': 'auc',
    },
    options: {
      'membership-shadow': { shadow: { ...attacker, epochs: 20 }, attacker: { updates: 40 } },
      'attribute-imputation': { leastPatients: 4, codeCount: 8, training: { ...attacker, epochs: 4 } },
    },
  },
  utility: {
    better: () => learnable(false),
    worse: () => learnable(true),
    // The headline is a mean over labels, most of which nothing can be learned of here.
    leading: {
      // No definition of these labels is known, so they have means of their own.
      phenotyping: 'undefined-gap-synthetic-auc',
      'phenotyping-as-published': 'synthetic-auc',
      'rare-conditions': 'L0: augmented-auc',
    },
    options: {
      phenotyping: { leastPositives: 4, classifier },
      'phenotyping-as-published': { leastPositives: 4, classifier },
      'rare-conditions': { leastPositives: 4, share: 0.05, classifier },
      'next-visit': { mixes, training: { embedding: 12, hidden: 12, middle: 24, ...quick } },
    },
  },
};
