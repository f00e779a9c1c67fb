import { createHash } from 'node:crypto';
import { modalities, type TokenKind } from '../../schemas/ehr.ts';
import { StageError } from '../../schemas/errors.ts';
import type { Vocabulary } from '../../schemas/vocabulary.ts';
import type { Cohort } from '../patients/cohort-columns.ts';
import {
  type Candidate,
  type CandidateColumn,
  CandidateFinder,
  type TokenRules,
} from './candidate-columns.ts';

/** The visits' codes of one modality, as tokens: those of visit v are at `offsets[v] …`. */
export interface TokenColumn {
  kind: TokenKind;
  offsets: Int32Array;
  /** -1: not in the vocabulary. */
  tokens: Int32Array;
  /**
   * The number behind each token that is a bucket; NaN elsewhere. Absent where no token of the column is one.
   */
  values?: Float32Array;
}

/** A vocabulary, and the visits of the cohort in its tokens. */
interface TokenMap {
  vocabulary: Vocabulary;
  columns: TokenColumn[];
}

/** The code that stands for all codes of a modality outside the vocabulary. */
const unknownCode = '<unknown>';

// A hash per code, not a shuffle: a code that comes or goes leaves the order of the others as it was.
const randomKey = ({ modality, code, bucket }: Candidate, seed: number): string =>
  createHash('sha256')
    .update(`order:${seed}:${modality}:${code}${bucket ? `:${bucket.low}` : ''}`)
    .digest('hex');

/** Indices of the candidates, in the order of the tokens. */
const inOrder = (candidates: readonly Candidate[], { order, seed }: TokenRules): number[] => {
  const indices = [...candidates.keys()];
  const of = (index: number) => candidates[index] as Candidate;
  // Candidates come sorted by modality, code and bucket, and sorting is stable.
  if (order === 'frequency') return indices.sort((a, b) => of(b).visits - of(a).visits);
  if (order === 'alphabetical') return indices;
  const keys = candidates.map((candidate) => randomKey(candidate, seed));
  return indices.sort((a, b) => ((keys[a] as string) < (keys[b] as string) ? -1 : 1));
};

/** 1 for each visit that has a code in the vocabulary. */
const visitsWithCodes = (columns: readonly CandidateColumn[], all: boolean, visits: number): Uint8Array => {
  const found = new Uint8Array(visits);
  for (const { offsets, candidates } of columns)
    for (let visit = 0; visit < visits; visit++)
      if (candidates.subarray(offsets[visit], offsets[visit + 1]).some((candidate) => all || candidate >= 0))
        found[visit] = 1;
  return found;
};

const checkRules = ({ labs, modalities: chosen }: TokenRules): void => {
  if (labs === 'buckets' && !chosen.includes('lab'))
    throw new StageError(
      'InvalidConfig',
      'tokens: `labs: buckets` needs the numbers of lab tests, but `modalities` does not list `lab`; add it, or leave `labs` out',
    );
};

/**
 * The codes of the training split as tokens; codes of other splits alone never get one. Frequency counts
 * training visits, ties go by modality, code and bucket. Unknown tokens, one per modality, come last. Throws
 * InvalidConfig when no code is left.
 */
export const buildVocabulary = (cohort: Cohort, rules: TokenRules): TokenMap => {
  checkRules(rules);
  const chosen = modalities.filter((modality) => rules.modalities.includes(modality));
  const finder = new CandidateFinder(cohort, rules);
  const columns = chosen.map((modality) => finder.codes(modality));
  if (finder.candidates.length === 0)
    throw new StageError(
      'InvalidConfig',
      `tokens: no code of ${chosen.join(', ')} occurs in minCount = ${rules.minCount} visits of the training ` +
        'split; choose other `modalities` or a smaller `minCount`',
    );
  const isUnknownKept = rules.unknown === 'token';
  if (rules.gaps) columns.push(finder.gaps(visitsWithCodes(columns, isUnknownKept, cohort.hadmIds.length)));
  const order = inOrder(finder.candidates, rules);
  const codes: Vocabulary['codes'] = order.map((index) => {
    const { visits: _, ...code } = finder.candidates[index] as Candidate;
    return code;
  });
  const tokenOf = new Int32Array(order.length);
  order.forEach((index, token) => {
    tokenOf[index] = token;
  });
  return {
    columns: columns.map(({ modality: kind, candidates, ...column }) => {
      const unknown =
        isUnknownKept && kind !== 'gap'
          ? codes.push({ modality: kind, code: unknownCode, title: `any other ${kind} code` }) - 1
          : -1;
      const tokens = candidates.map((index) => (index < 0 ? unknown : (tokenOf[index] as number)));
      return { kind, ...column, tokens };
    }),
    vocabulary: { codes, labels: cohort.labelNames, order: rules.order },
  };
};
