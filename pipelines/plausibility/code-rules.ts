import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Vocabulary } from '../../schemas/vocabulary.ts';

/** `600-608` or `1986`; bounds are equally long, and a code is compared by as many of its characters. */
const codeRange = z.string().regex(/^[V\d]\d*(-[V\d]\d*)?$/);

const ruleBase = { name: z.string(), title: z.string(), about: z.string() };
const names = z.array(z.string());

const codeRule = z.discriminatedUnion('kind', [
  z.object({
    ...ruleBase,
    kind: z.literal('together').describe('codes of both sets in one visit, or anywhere in the record'),
    within: z.enum(['visit', 'record']),
    sets: names.length(2),
  }),
  z.object({
    ...ruleBase,
    kind: z.literal('first-visit-only').describe('a code of the set in any visit but the first'),
    sets: names.length(1),
  }),
  z.object({
    ...ruleBase,
    kind: z.literal('last-visit-only').describe('a visit after one with a code of the set'),
    sets: names.length(1),
  }),
  z.object({
    ...ruleBase,
    kind: z.literal('never-after').describe('a code of the second set in a visit after one with the first'),
    sets: names.length(2),
  }),
  z.object({
    ...ruleBase,
    kind: z.literal('once').describe('codes of one set in two visits'),
    sets: names.min(1),
  }),
  z.object({
    ...ruleBase,
    kind: z
      .literal('other-sex')
      .describe('a code of the first set and a woman, or one of the second and a man'),
    sets: names.length(2),
  }),
  z.object({
    ...ruleBase,
    kind: z
      .literal('other-age')
      .describe('a code of the first set after infancy, or one of the second in a child’s first visit'),
    sets: names.length(2),
  }),
]);
export type CodeRule = z.output<typeof codeRule>;

const codeRules = z.object({
  sets: z.record(
    z.string(),
    z.object({ dx: z.array(codeRange).default([]), px: z.array(codeRange).default([]) }),
  ),
  rules: z.array(codeRule),
});
export type CodeRules = z.output<typeof codeRules>;

/**
 * Codes that contradict each other, by ICD-9-CM; the file gives the sources. A rule about an unknown set is
 * an Error.
 */
export const readCodeRules = async (): Promise<CodeRules> => {
  const found = codeRules.parse(
    parse(await readFile(new URL('./code-rules.yaml', import.meta.url), 'utf8'), { schema: 'failsafe' }),
  );
  for (const { name, sets } of found.rules)
    for (const set of sets)
      if (!found.sets[set]) throw new Error(`code-rules.yaml: rule ${name} names an unknown set ${set}`);
  return found;
};

/** What ICD-9-CM codes look like without their dot; diagnoses that begin with E take four characters. */
const wellFormed = { dx: /^(?:\d{3}|V\d\d)\d{0,2}$|^E\d{3}\d?$/, px: /^\d{3,4}$/ };

const isIcd9 = ({ modality, code }: Vocabulary['codes'][number]): boolean =>
  (modality === 'dx' || modality === 'px') && wellFormed[modality].test(code);

/** Share of diagnoses and procedures that must look like ICD-9-CM, those aside that name another system. */
const enough = 0.9;

/**
 * Whether the codes can be read as ICD-9-CM at all. Codes with the prefix of another system (`ICD10:…`) do
 * not count.
 */
export const usesIcd9 = ({ codes }: Vocabulary): boolean => {
  const claimed = codes.filter(
    ({ modality, code }) => (modality === 'dx' || modality === 'px') && !code.includes(':'),
  );
  return claimed.length > 0 && claimed.filter(isIcd9).length >= enough * claimed.length;
};

const isIn = (code: string, range: string): boolean => {
  const [from = range, to = from] = range.split('-');
  const start = code.slice(0, from.length);
  return start.length === from.length && start >= from && start <= to;
};

/** Sets are bits of one integer. */
const mostSets = 31;

/** Per token, one bit for each set of the rules that it is in, in their order. */
export const setBits = ({ sets }: CodeRules, { codes }: Vocabulary): Int32Array => {
  const ranges = Object.values(sets);
  if (ranges.length > mostSets) throw new RangeError(`at most ${mostSets} sets, not ${ranges.length}`);
  return Int32Array.from(codes, (entry) => {
    if (!isIcd9(entry)) return 0;
    const inSet = (set: CodeRules['sets'][string]) =>
      (entry.modality === 'dx' ? set.dx : set.px).some((range) => isIn(entry.code, range));
    return ranges.reduce((bits, set, i) => (inSet(set) ? bits | (1 << i) : bits), 0);
  });
};
