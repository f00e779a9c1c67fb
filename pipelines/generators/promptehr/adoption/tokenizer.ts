/**
 * What the authors' tokenizer says of the rows of a checkpoint: `<diag>` and `</diag>` around codes called `diag_12`,
 * whose number is also the row of the kind's head (RyanWangZf/PromptEHR, modeling_config.py, ModelTokenizer).
 */
import type { TokenKind } from '../../../../schemas/ehr.ts';
import { StageError } from '../../../../schemas/errors.ts';
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';

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
 * Codes of a tokenizer, kind by kind, numbers without gaps: a head has a row also for a number that no code has.
 * `names` gives code texts by token; without one a code is called by its number. Throws SourceMalformed.
 */
export const readTokenizer = (
  tokens: Readonly<Record<string, number>>,
  names: Readonly<Record<string, string>> = {},
): TokenizerPlaces => {
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
    for (let number = 0; number <= Math.max(-1, ...rows.keys()); number++) {
      places.vocabulary.codes.push({ modality: kind, code: names[`${name}_${number}`] ?? String(number) });
      places.rows.push(rows.get(number) ?? -1);
      places.outputs.push(number);
    }
  }
  if (places.vocabulary.codes.length === 0)
    throw malformed('the tokenizer has no codes: expected tokens such as <diag>, </diag> and diag_12');
  return places;
};
