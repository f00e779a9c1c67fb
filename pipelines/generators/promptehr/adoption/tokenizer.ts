/**
 * What the authors' tokenizer has of the rows of a checkpoint: `<diag>` and `</diag>` around codes called
 * `diag_12`, whose number is also the row of the kind's head (RyanWangZf/PromptEHR, modeling_config.py,
 * ModelTokenizer).
 */
import { z } from 'zod';
import type { TokenKind } from '../../../../schemas/ehr.ts';
import { StageError } from '../../../../schemas/errors.ts';
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';

const rowsByText = z
  .record(z.string(), z.int().nonnegative())
  .refine((rows) => Object.keys(rows).some((text) => `</${text.slice(1)}` in rows));

/**
 * The vocabulary file in the authors' form: rows of the embedding by token, known by its brackets; alone, or
 * as `tokens` beside the `names` of its codes and the `features` that the model's prompts are about.
 */
export const tokenizerVocabulary = z.union([
  rowsByText.transform((tokens): TokenizerVocabulary => ({ tokens })),
  z.object({
    tokens: rowsByText,
    names: z.record(z.string(), z.string().min(1)).optional(),
    features: z.unknown().optional(),
  }),
]);

export interface TokenizerVocabulary {
  tokens: Readonly<Record<string, number>>;
  /** Codes by token, `diag_12` → `4019`; a code without one is called by its number. */
  names?: Readonly<Record<string, string>>;
  features?: unknown;
}

/** Names that code types have in the authors' code and data, and what we call them. */
const kindNames: Readonly<Record<string, TokenKind>> = {
  diag: 'dx',
  diagnosis: 'dx',
  dx: 'dx',
  prod: 'px',
  proc: 'px',
  procedure: 'px',
  px: 'px',
  med: 'rx',
  drug: 'rx',
  rx: 'rx',
  lab: 'lab',
  labtest: 'lab',
};

/** Where codes and brackets of a checkpoint lie. */
export interface TokenizerPlaces {
  vocabulary: Vocabulary;
  /** Per code of the vocabulary, its row of the embedding; -1: the tokenizer has none for it. */
  rows: number[];
  /** Per code of the vocabulary, its row of its kind's head. */
  outputs: number[];
  /** Name of each kind's head, and the rows of its brackets. */
  kinds: Map<TokenKind, { name: string; begin: number; end: number }>;
}

const malformed = (message: string): StageError => new StageError('SourceMalformed', message);

/** Codes of one kind by their number. */
const numbered = (tokens: Readonly<Record<string, number>>, name: string): Map<number, number> => {
  const found = new Map<number, number>();
  for (const [text, row] of Object.entries(tokens)) {
    if (!text.startsWith(`${name}_`)) continue;
    const number = Number(text.slice(text.lastIndexOf('_') + 1));
    if (!Number.isInteger(number) || number < 0)
      throw malformed(`the tokenizer has a ${name} code that does not end in its number, as ${name}_12 does`);
    found.set(number, row);
  }
  return found;
};

/**
 * Codes of a tokenizer, kind by kind, numbers without gaps: a head has a row also for a number that no code
 * has. Throws SourceMalformed.
 */
export const readTokenizer = ({ tokens, names = {} }: TokenizerVocabulary): TokenizerPlaces => {
  const places: TokenizerPlaces = {
    vocabulary: { codes: [], labels: [] },
    rows: [],
    outputs: [],
    kinds: new Map(),
  };
  const brackets = Object.keys(tokens).flatMap((text) => /^<(\w+)>$/.exec(text)?.[1] ?? []);
  for (const name of brackets.filter((bracket) => tokens[`</${bracket}>`] !== undefined && bracket !== 's')) {
    const kind = kindNames[name.toLowerCase()];
    if (!kind)
      throw malformed(
        `the tokenizer has codes of a type ${name}; known are ${Object.keys(kindNames).join(', ')}`,
      );
    if (places.kinds.has(kind)) throw malformed(`the tokenizer has two types of codes that are ${kind}`);
    places.kinds.set(kind, {
      name,
      begin: tokens[`<${name}>`] as number,
      end: tokens[`</${name}>`] as number,
    });
    const rows = numbered(tokens, name);
    const highest = [...rows.keys()].reduce((most, number) => Math.max(most, number), -1);
    for (let number = 0; number <= highest; number++) {
      places.vocabulary.codes.push({ modality: kind, code: names[`${name}_${number}`] ?? String(number) });
      places.rows.push(rows.get(number) ?? -1);
      places.outputs.push(number);
    }
  }
  if (places.vocabulary.codes.length === 0)
    throw malformed('the tokenizer has no codes: expected tokens such as <diag>, </diag> and diag_12');
  return places;
};

/*
 * Text in the pieces of BART's tokenizer: byte-level byte-pair encoding, GPT-2's (Radford et al. 2019; merges
 * as in Sennrich, Haddow, Birch 2016). The same pieces as Hugging Face's tokenizers give.
 */

/** A tokenizer: rows of the embedding by piece, and pairs in the order in which they are merged. */
export interface BytePairs {
  rows: Readonly<Record<string, number>>;
  merges: readonly (readonly [string, string])[];
}

const text = z.string().min(1);
const merge = z.union([
  z.tuple([text, text]),
  z.string().transform((pair, context): [string, string] => {
    const [left, right, ...more] = pair.split(' ');
    if (left && right && more.length === 0) return [left, right];
    context.addIssue({ code: 'custom', message: 'a merge should be two pieces' });
    return z.NEVER;
  }),
]);

const bytePairs = z.object({
  model: z.object({
    type: z.literal('BPE').optional(),
    vocab: z.record(z.string(), z.int().nonnegative()),
    merges: z.array(merge).min(1),
  }),
});

/**
 * The tokenizer of a language model: `tokenizer.json` of Hugging Face's tokenizers with byte-level byte
 * pairs, as BART's.
 */
export const tokenizerFile = z.unknown().transform((content, context): BytePairs => {
  const { success, data } = bytePairs.safeParse(content);
  if (success) return { rows: data.model.vocab, merges: data.model.merges };
  context.addIssue({
    code: 'custom',
    message: 'expected a tokenizer.json with byte pairs (model.vocab and model.merges)',
  });
  return z.NEVER;
});

/** Letters that stand for bytes: a byte that prints is itself, the others follow from U+0100 on. */
const letters: readonly string[] = (() => {
  const prints = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(prints(byte) ? byte : next++));
})();

const words = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

const pairName = (left: string, right: string): string => `${left} ${right}`;

/** Merges the pair that comes first among the merges until there is none. */
const merged = (symbols: string[], rankOf: ReadonlyMap<string, number>): string[] => {
  for (;;) {
    let best = Number.POSITIVE_INFINITY;
    let at = -1;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const rank = rankOf.get(pairName(symbols[i] as string, symbols[i + 1] as string));
      if (rank !== undefined && rank < best) [best, at] = [rank, i];
    }
    if (at < 0) return symbols;
    symbols.splice(at, 2, `${symbols[at]}${symbols[at + 1]}`);
  }
};

/**
 * Gives the pieces of texts, as rows of the embedding; a piece that the tokenizer has no row for is left out.
 */
export const bytePairEncoder = ({ rows, merges }: BytePairs): ((text: string) => number[]) => {
  const rankOf = new Map(merges.map(([left, right], rank) => [pairName(left, right), rank]));
  return (text) =>
    (text.match(words) ?? []).flatMap((word) => {
      const symbols = Array.from(new TextEncoder().encode(word), (byte) => letters[byte] as string);
      return merged(symbols, rankOf).flatMap((piece) =>
        Object.hasOwn(rows, piece) ? [rows[piece] as number] : [],
      );
    });
};
