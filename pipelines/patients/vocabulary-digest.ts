import { createHash } from 'node:crypto';
import type { Vocabulary } from '../../schemas/vocabulary.ts';

/** What makes a token the same in two vocabularies: its kind, its code, and of a range its ends. */
export const codeIdentity = ({ modality, code, bucket }: Vocabulary['codes'][number]) =>
  bucket ? [modality, code, bucket.low, bucket.high] : [modality, code];

/** Names a vocabulary by its content: codes and ranges in their order, and labels. */
export const vocabularyDigest = ({ codes, labels }: Vocabulary): string =>
  createHash('sha256')
    .update(JSON.stringify([codes.map(codeIdentity), labels]))
    .digest('hex');
