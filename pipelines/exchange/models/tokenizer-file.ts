import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { StageError } from '../../../schemas/errors.ts';
import type { Checkpoint } from '../../generation/generator.ts';
import { malformed } from '../read/outside-cohort.ts';

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
 * Reads the tokenizer of a language model, `tokenizer.json` of Hugging Face's tokenizers with byte-level byte pairs, as
 * BART's is. Throws SourceMissing, SourceMalformed.
 */
export const readTokenizerFile = async (path: string): Promise<NonNullable<Checkpoint['pieces']>> => {
  const file = basename(path);
  const content = await readFile(path, 'utf8').catch((cause) => {
    throw new StageError('SourceMissing', `the tokenizer ${file} cannot be read`, { cause });
  });
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch {
    throw malformed(`${file} should be a tokenizer in JSON, and is no JSON`);
  }
  const { success, data } = bytePairs.safeParse(json);
  if (!success)
    throw malformed(
      `${file} is no tokenizer we can read: expected a tokenizer.json with byte pairs (model.vocab and model.merges)`,
    );
  return { rows: data.model.vocab, merges: data.model.merges };
};
