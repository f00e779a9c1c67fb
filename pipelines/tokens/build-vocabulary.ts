import { createHash } from 'node:crypto';
import { type Modality, modalities, splits } from '../../schemas/ehr.ts';
import { StageError } from '../../schemas/errors.ts';
import type { Vocabulary } from '../../schemas/vocabulary.ts';
import type { Cohort } from '../cohort/cohort-columns.ts';

/** What decides which codes become tokens, and in which order. */
export interface TokenRules {
  modalities: readonly Modality[];
  minCount: number;
  unknown: 'drop' | 'token';
  order: 'frequency' | 'alphabetical' | 'random';
  seed: number;
}

/** A vocabulary, and per modality the token of each code of the cohort (-1: none). */
export interface TokenMap {
  vocabulary: Vocabulary;
  tokenOf: Partial<Record<Modality, Int32Array>>;
}

/** The code that stands for all codes of a modality outside the vocabulary. */
export const unknownCode = '<unknown>';

interface Candidate {
  modality: Modality;
  index: number;
  code: string;
  visits: number;
}

/** Training visits each code of one modality occurs in. */
const trainingCounts = (cohort: Cohort, modality: Modality): Int32Array => {
  const counts = new Int32Array(cohort.dictionary[modality].length);
  const { offsets, indices } = cohort.codes[modality];
  cohort.split.forEach((split, patient) => {
    if (split !== splits.indexOf('train')) return;
    const from = offsets[cohort.visitOffsets[patient] as number];
    const to = offsets[cohort.visitOffsets[patient + 1] as number];
    for (const index of indices.subarray(from, to)) counts[index] = (counts[index] as number) + 1;
  });
  return counts;
};

// A hash per code, not a shuffle: a code that comes or goes leaves the order of the others as it was.
const randomKey = ({ modality, code }: Candidate, seed: number): string =>
  createHash('sha256').update(`order:${seed}:${modality}:${code}`).digest('hex');

const inOrder = (candidates: Candidate[], { order, seed }: TokenRules): Candidate[] => {
  // Candidates come sorted by modality and code, and sorting is stable.
  if (order === 'frequency') return candidates.sort((a, b) => b.visits - a.visits);
  if (order === 'alphabetical') return candidates;
  const keyed = candidates.map((candidate) => ({ candidate, key: randomKey(candidate, seed) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ candidate }) => candidate);
};

/**
 * The codes of the training split as tokens; codes of other splits alone never get one. Frequency counts
 * training visits, ties go by modality and code. Unknown tokens, one per modality, come last. Throws
 * InvalidConfig when no code is left.
 */
export const buildVocabulary = (cohort: Cohort, rules: TokenRules): TokenMap => {
  const chosen = modalities.filter((modality) => rules.modalities.includes(modality));
  const candidates = chosen.flatMap((modality) => {
    const counts = trainingCounts(cohort, modality);
    return cohort.dictionary[modality]
      .map(({ code }, index) => ({ modality, index, code, visits: counts[index] as number }))
      .filter(({ visits }) => visits >= rules.minCount);
  });
  if (candidates.length === 0)
    throw new StageError(
      'InvalidConfig',
      `tokens: no code of ${chosen.join(', ')} occurs in minCount = ${rules.minCount} visits of the training ` +
        'split; choose other `modalities` or a smaller `minCount`',
    );
  const tokenOf: TokenMap['tokenOf'] = {};
  const codes: Vocabulary['codes'] = [];
  for (const modality of chosen)
    tokenOf[modality] = new Int32Array(cohort.dictionary[modality].length).fill(-1);
  for (const { modality, index } of inOrder(candidates, rules)) {
    (tokenOf[modality] as Int32Array)[index] = codes.length;
    codes.push({ modality, ...(cohort.dictionary[modality][index] as { code: string; title?: string }) });
  }
  if (rules.unknown === 'token')
    for (const modality of chosen) {
      const token = codes.length;
      tokenOf[modality] = (tokenOf[modality] as Int32Array).map((known) => (known < 0 ? token : known));
      codes.push({ modality, code: unknownCode, title: `any other ${modality} code` });
    }
  return { vocabulary: { codes, labels: cohort.labelNames }, tokenOf };
};
