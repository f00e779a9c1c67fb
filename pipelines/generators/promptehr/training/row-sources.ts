/** Which rows of a model's tables are those of another vocabulary's tokens. */
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import { codeIdentity } from '../../../patients/vocabulary-digest.ts';
import type { PromptModel } from '../records/prompt-model.ts';
import { beginOf, endOf, marks, streamsOf } from '../records/streams.ts';

/** Where the rows of a vocabulary's tokens lie in a model; -1: nowhere. */
export interface RowSources {
  /** Per stream token, its row of the model's embedding. */
  rows: number[];
  /** Per head and output, the output of the model's head of the same kind. */
  outputs: number[][];
  /** Codes that the model has been trained on. */
  taken: number;
  /** Counts of codes, for people. */
  facts: Record<string, number>;
}

/** Codes are the same where kind, code and range are; rows that an import made up are no source. */
export const rowSources = (
  vocabulary: Vocabulary,
  start: { model: Pick<PromptModel, 'streams' | 'untaught'>; vocabulary: Vocabulary },
): RowSources => {
  const [ours, { streams: theirs, untaught }] = [streamsOf(vocabulary), start.model];
  const drawn = new Set(untaught?.drawn);
  const named = new Set(untaught?.named);
  const placeOf = new Map(start.vocabulary.codes.map((code, at) => [JSON.stringify(codeIdentity(code)), at]));
  const kindOf = ours.kinds.map((kind) => theirs.kinds.indexOf(kind));
  const rows = new Array<number>(ours.tokens).fill(-1);
  const set = (token: number, source: number): void => {
    if (!drawn.has(source)) rows[token] = source;
  };
  for (const mark of Object.values(marks)) set(mark, mark);
  kindOf.forEach((their, kind) => {
    if (their < 0) return;
    set(beginOf(kind), beginOf(their));
    set(endOf(kind), endOf(their));
  });
  vocabulary.codes.forEach((code, at) => {
    const place = placeOf.get(JSON.stringify(codeIdentity(code)));
    if (place !== undefined) set(ours.codeBase + at, theirs.codeBase + place);
  });
  const outputs = ours.heads.map(({ tokens }, kind) => {
    const their = theirs.heads[kindOf[kind] ?? -1];
    const outputOf = new Map(their?.tokens.map((token, output) => [token, output]));
    return tokens.map((token) => outputOf.get(rows[token] as number) ?? -1);
  });
  const codes = rows.slice(ours.codeBase);
  const found = codes.filter((row) => row >= 0);
  const fromNames = found.filter((row) => named.has(row)).length;
  const facts = { codesTaken: found.length - fromNames, codesFresh: codes.length - found.length };
  return {
    rows,
    outputs,
    taken: facts.codesTaken,
    facts: { ...facts, ...(named.size > 0 && { codesFromNames: fromNames }) },
  };
};
