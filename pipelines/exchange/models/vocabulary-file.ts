import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { StageError } from '../../../schemas/errors.ts';
import { vocabulary as ours } from '../../../schemas/vocabulary.ts';
import type { Checkpoint } from '../../generation/generator.ts';
import { prefixedCode } from '../read/code-systems.ts';
import { malformed } from '../read/outside-cohort.ts';

const names = z.array(z.string().min(1));
const numbered = z.record(z.string(), z.int().nonnegative());
const named = z.record(z.string().regex(/^\d+$/), z.string().min(1));

/** Names of codes, `dx:4019`. */
const titled = z.record(z.string().regex(/^[a-z]+:./), z.string().min(1));

/** What a vocabulary file may be beside our own vocabulary.json. */
const foreign = z.union([names, numbered, named]);
const withLabels = z.object({ codes: foreign, labels: names.default([]) });

/** The vocabulary of a tokenizer: its brackets say so. */
const tokenizer = numbered.refine((tokens) =>
  Object.keys(tokens).some((text) => `</${text.slice(1)}` in tokens),
);
const withTokens = z.object({
  tokens: tokenizer,
  names: z.record(z.string(), z.string().min(1)).optional(),
  features: z.unknown().optional(),
});

/** Entries by number, each of 0 … n-1 once. */
const inOrder = (entries: readonly (readonly [name: string, at: number])[], file: string): string[] => {
  const ordered = new Array<string | undefined>(entries.length);
  for (const [name, at] of entries) {
    if (at >= entries.length || ordered[at] !== undefined)
      throw malformed(
        `${file}: ${entries.length} codes should be numbered 0 to ${entries.length - 1}, each once; found ` +
          `${at >= entries.length ? `a number ${at}` : `${at} twice`}`,
      );
    ordered[at] = name;
  }
  return ordered.flatMap((name) => name ?? []);
};

const listed = (codes: z.output<typeof foreign>, file: string): string[] => {
  if (Array.isArray(codes)) return codes;
  const isNumbered = numbered.safeParse(codes);
  if (isNumbered.success) return inOrder(Object.entries(isNumbered.data), file);
  return inOrder(
    Object.entries(named.parse(codes)).map(([at, name]) => [name, Number(at)]),
    file,
  );
};

const tokensIn = (content: unknown): Omit<VocabularyRead, 'vocabulary'> | undefined => {
  const bare = tokenizer.safeParse(content);
  if (bare.success) return { tokens: bare.data };
  const { success, data } = withTokens.safeParse(content);
  if (!success) return undefined;
  const { tokens, names: called, features } = data;
  return { tokens, ...(called && { names: called }), ...(features !== undefined && { features }) };
};

/** What a vocabulary file tells of a checkpoint. */
export type VocabularyRead = Pick<Checkpoint, 'vocabulary' | 'tokens' | 'names' | 'features'>;

/**
 * Reads the order of a model's codes: our vocabulary.json; `{"codes": …, "labels": ["…"]}`, or the codes alone, where
 * codes are a list of texts or an object from code to number or from number to code (HALO's codeToIndex and
 * indexToCode as JSON), or from code to what it is called (`{"dx:4019": "Hypertension"}`). `px:9604` is a procedure, `9604` alone a diagnosis. Or the vocabulary of a tokenizer, `{"<diag>":
 * 50265, …}`, alone or as `tokens` beside `names` of its codes and `features` of its prompts. Throws SourceMissing,
 * SourceMalformed.
 */
export const readVocabularyFile = async (path: string): Promise<VocabularyRead> => {
  const file = basename(path);
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new StageError('SourceMissing', `the vocabulary ${file} cannot be read`, { cause });
  });
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw malformed(`${file} should be a vocabulary in JSON, and is no JSON`);
  }
  const own = ours.safeParse(content);
  if (own.success) return { vocabulary: own.data };
  const called = titled.safeParse(content);
  if (called.success)
    return {
      vocabulary: {
        codes: Object.entries(called.data).map(([code, title]) => ({ ...prefixedCode(code), title })),
        labels: [],
      },
    };
  const speaking = tokensIn(content);
  if (speaking) return { vocabulary: { codes: [], labels: [] }, ...speaking };
  const wrapped = withLabels.safeParse(content);
  const bare = foreign.safeParse(content);
  if (!wrapped.success && !bare.success)
    throw malformed(
      `${file} is no vocabulary: expected a vocabulary.json of ours, {"codes": …, "labels": […]} or codes alone, where ` +
        'codes are a list of texts or an object between codes and their numbers',
    );
  const { codes, labels } = wrapped.success ? wrapped.data : { codes: bare.data ?? [], labels: [] };
  const all = listed(codes, file).map(prefixedCode);
  const distinct = new Set(all.map(({ modality, code }) => `${modality}:${code}`)).size;
  if (distinct < all.length)
    throw malformed(`${file}: ${all.length - distinct} of its ${all.length} codes are there twice`);
  return { vocabulary: { codes: all, labels } };
};
