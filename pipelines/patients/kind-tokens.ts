import { type TokenKind, tokenKinds } from '../../schemas/ehr.ts';
import type { Vocabulary } from '../../schemas/vocabulary.ts';

/** Per token the index of its kind in `tokenKinds`. */
export const kindOfTokens = ({ codes }: Vocabulary): Uint8Array =>
  Uint8Array.from(codes, ({ modality }) => tokenKinds.indexOf(modality));

/** Ascending tokens of each kind that the vocabulary has, in the order of `tokenKinds`. */
export const tokensByKind = ({ codes }: Vocabulary): Map<TokenKind, Int32Array> => {
  const found = new Map<TokenKind, Int32Array>();
  for (const kind of tokenKinds) {
    const tokens = Array.from(codes.keys()).filter((token) => codes[token]?.modality === kind);
    if (tokens.length > 0) found.set(kind, Int32Array.from(tokens));
  }
  return found;
};
