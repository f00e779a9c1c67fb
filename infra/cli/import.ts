import { resolve } from 'node:path';
import { z } from 'zod';
import { modelFileNames } from '../../pipelines/exchange/models/model-files.ts';
import { localPath } from '../../schemas/local-path.ts';
import { outputFolder } from '../output.ts';
import { defineCommand } from './command.ts';
import { named } from './named.ts';

export const importCommand = defineCommand({
  name: 'import',
  summary: 'make a model from weights that a paper’s own code has trained',
  positionals: z.object({
    generator: z.string().describe('generator of the weights: halo, or promptehr (also for BART)'),
    file: z.string().min(1).describe('safetensors file with the weights under the names of that code'),
  }),
  options: z.object({
    vocabulary: z
      .string()
      .min(1)
      .describe(
        'JSON file: codes in the order of the weights and labels, or the vocabulary of their tokenizer; for BART, codes with their names',
      ),
    tokenizer: z
      .string()
      .min(1)
      .optional()
      .describe(
        'tokenizer.json of a language model such as BART: the embedding of a code with a name starts as the mean of its name’s tokens',
      ),
    heads: z
      .int()
      .positive()
      .optional()
      .describe('number of attention heads, which the weights do not contain'),
    maxVisits: z
      .int()
      .positive()
      .optional()
      .describe('longest record that is read, in visits; default: as many as the weights have positions for'),
    seed: z.int().nonnegative().default(0).describe('of the random values for rows that the weights lack'),
    out: localPath.describe('folder for the model'),
    force: z.boolean().default(false).describe('replace a model that exists there'),
  }),
  async run({ generator: name, file, vocabulary, tokenizer, heads, maxVisits, seed, out, force }, io) {
    const { generators } = await import('../../pipelines/generators/registry.ts');
    const { importCheckpoint } = await import('../../pipelines/exchange/models/import-checkpoint.ts');
    const { readTokenizerFile } = await import('../../pipelines/exchange/models/tokenizer-file.ts');
    const { readVocabularyFile } = await import('../../pipelines/exchange/models/vocabulary-file.ts');
    const known = new Map([...generators].filter(([, { adopt }]) => adopt !== undefined));
    const generator = named('generator with weights to import', known, name);
    const folder = await outputFolder(out, modelFileNames, force);
    try {
      const { files, ...imported } = await importCheckpoint(generator, file, {
        ...(await readVocabularyFile(vocabulary)),
        ...(tokenizer !== undefined && { pieces: await readTokenizerFile(tokenizer) }),
        ...(heads !== undefined && { heads }),
        ...(maxVisits !== undefined && { maxVisits }),
        seed,
      });
      await folder.publish(files);
      for (const note of imported.notes) io.err(`note: ${note}`);
      const { codes, labels, parameters, settings } = imported;
      io.out(
        `${name}: ${codes} codes, ${labels} labels, ${parameters} parameters\n` +
          `${Object.entries(settings)
            .map(([key, value]) => `${key} ${value}`)
            .join(', ')}\n\nmodel  ${resolve(out)}`,
      );
      return { generator: name, ...imported, model: resolve(out) };
    } finally {
      await folder.discard();
    }
  },
});
