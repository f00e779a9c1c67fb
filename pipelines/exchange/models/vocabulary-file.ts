import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { StageError } from '../../../schemas/errors.ts';
import { type Vocabulary, vocabulary as vocabularySchema } from '../../../schemas/vocabulary.ts';
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

/** A JSON file that an import is given; `what` it should be. Throws SourceMissing, SourceMalformed. */
export const readJsonFile = async (path: string, what: string): Promise<unknown> => {
  const file = basename(path);
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new StageError('SourceMissing', `the ${what} ${file} cannot be read`, { cause });
  });
  try {
    return JSON.parse(text);
  } catch {
    throw malformed(`${file} should be a ${what} in JSON, and is no JSON`);
  }
};

/**
 * Reads the order of a model's codes: our vocabulary.json; `{"codes": …, "labels": ["…"]}`, or the codes alone, where
 * codes are a list of texts or an object from code to number or from number to code (HALO's codeToIndex and
 * indexToCode as JSON), or from code to what it is called (`{"dx:4019": "Hypertension"}`). `px:9604` is a procedure,
 * `9604` alone a diagnosis. `own` is one form more, that of the generator's paper. Throws SourceMissing, SourceMalformed.
 */
export const readVocabularyFile = async <V = never>(
  path: string,
  own?: z.ZodType<V>,
): Promise<Vocabulary | V> => {
  const file = basename(path);
  const content = await readJsonFile(path, 'vocabulary');
  const ours = vocabularySchema.safeParse(content);
  if (ours.success) return ours.data;
  const called = titled.safeParse(content);
  if (called.success)
    return {
      codes: Object.entries(called.data).map(([code, title]) => ({ ...prefixedCode(code), title })),
      labels: [],
    };
  const papers = own?.safeParse(content);
  if (papers?.success) return papers.data;
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
  return { codes: all, labels };
};
