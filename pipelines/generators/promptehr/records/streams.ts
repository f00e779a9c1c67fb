/**
 * Records as streams of tokens, as in PromptEHR (Wang, Sun: PromptEHR: conditional electronic healthcare
 * records generation with prompt learning; EMNLP 2022, section 3.2): `<s> <v> <dx> … </dx> <px> … </px> </v>
 * <v> … </v> </s>`. A span is one kind of a visit's codes with its brackets. A span that is written but has
 * no codes means that there are none; a span left out means that nothing is known.
 */
import { type TokenKind, tokenKinds } from '../../../../schemas/ehr.ts';
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import { exclusiveGroups } from '../../../generation/sample-values.ts';
import type { VisitColumns } from '../../../patients/visit-columns.ts';
import type { Head } from '../network/architecture.ts';

/** Stream tokens that every vocabulary has. After them come two per kind, then the codes. */
export const marks = { pad: 0, start: 1, end: 2, mask: 3, visit: 4, visitEnd: 5 } as const;
const fixed = 6;

/** `<dx>`, for the kind at this index of `kinds`. */
export const beginOf = (kind: number): number => fixed + 2 * kind;
/** `</dx>` */
export const endOf = (kind: number): number => fixed + 2 * kind + 1;

/** What stream tokens mean for one vocabulary. */
export interface StreamLayout {
  /** Kinds of the vocabulary's codes, in the order of `tokenKinds`: a visit has one span of each. */
  kinds: TokenKind[];
  /** Stream token of vocabulary token 0. */
  codeBase: number;
  /** Number of stream tokens. */
  tokens: number;
  /** `[codes]`: index into `kinds`. */
  kindOf: Uint8Array;
  /** `[codes]`: output of this code, in the head of its kind. */
  logitOf: Int32Array;
  /** One per kind: the span's end first, then its codes, ascending. */
  heads: Head[];
  /**
   * One per head, per output: things of which a visit has at most one (the ranges of a lab test); -1: no such
   * thing.
   */
  groups: Int32Array[];
}

export const streamsOf = ({ codes }: Pick<Vocabulary, 'codes'>): StreamLayout => {
  const kinds = tokenKinds.filter((kind) => codes.some(({ modality }) => modality === kind));
  const codeBase = fixed + 2 * kinds.length;
  const kindOf = Uint8Array.from(codes, ({ modality }) => kinds.indexOf(modality));
  const logitOf = new Int32Array(codes.length);
  const heads = kinds.map((name, kind): Head => ({ name, tokens: [endOf(kind)] }));
  kindOf.forEach((kind, code) => {
    const tokens = heads[kind]?.tokens ?? [];
    logitOf[code] = tokens.push(codeBase + code) - 1;
  });
  const exclusive = exclusiveGroups({ codes, labels: [] });
  const groups = heads.map(({ tokens }) =>
    Int32Array.from(tokens, (token) => exclusive[token - codeBase] ?? -1),
  );
  return { kinds, codeBase, tokens: codeBase + codes.length, kindOf, logitOf, heads, groups };
};

/** The codes of one visit, per kind; undefined: not known. */
export type Spans = (ArrayLike<number> | undefined)[];

/** The same with some kinds left out. */
export const without = (spans: Spans, kinds: readonly number[]): Spans =>
  spans.map((codes, kind) => (kinds.includes(kind) ? undefined : codes));

/** The spans of visit `visit` of the columns (counted over all patients), none left out. */
export const spansOf = (
  { kinds, kindOf }: StreamLayout,
  columns: VisitColumns,
  visit: number,
): number[][] => {
  const spans: number[][] = kinds.map(() => []);
  for (let i = columns.codeOffsets[visit] as number; i < (columns.codeOffsets[visit + 1] as number); i++) {
    const code = columns.codes[i] as number;
    spans[kindOf[code] as number]?.push(code);
  }
  return spans;
};

/** One visit as stream tokens: `<v> <dx> … </dx> … </v>`, spans in the order of `kinds`. */
export const visitStream = ({ codeBase }: StreamLayout, spans: Spans): number[] => {
  const stream: number[] = [marks.visit];
  spans.forEach((codes, kind) => {
    if (!codes) return;
    stream.push(beginOf(kind));
    for (let i = 0; i < codes.length; i++) stream.push(codeBase + (codes[i] as number));
    stream.push(endOf(kind));
  });
  stream.push(marks.visitEnd);
  return stream;
};

/**
 * Visits, oldest first, as the encoder reads them, in at most `contextTokens` tokens: the most recent ones
 * that fit as a whole are kept; of a last visit that does not fit, its beginning. `cut`: tokens left out.
 */
export const contextStream = (
  visits: readonly ArrayLike<number>[],
  contextTokens: number,
): { tokens: number[]; cut: number } => {
  const room = contextTokens - 2;
  let first = visits.length;
  let length = 0;
  while (first > 0 && length + (visits[first - 1]?.length ?? 0) <= room)
    length += visits[--first]?.length ?? 0;
  const total = visits.reduce((sum, { length: tokens }) => sum + tokens, 0);
  const last = visits.at(-1);
  const kept = first === visits.length && last ? [Array.from(last).slice(0, room)] : visits.slice(first);
  const tokens = [marks.start, ...kept.flatMap((visit) => Array.from(visit)), marks.end];
  return { tokens, cut: total - (tokens.length - 2) };
};

/**
 * A span as the decoder reads it and what it predicts: `<dx> c c c` → c c c `</dx>`, as indices into the
 * head.
 */
export const spanSteps = (
  { codeBase, logitOf }: StreamLayout,
  kind: number,
  codes: ArrayLike<number>,
): { inputs: number[]; targets: number[] } => {
  const list = Array.from(codes);
  return {
    inputs: [beginOf(kind), ...list.map((code) => codeBase + code)],
    targets: [...list.map((code) => logitOf[code] as number), 0],
  };
};
