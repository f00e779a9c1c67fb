import { resolve } from 'node:path';
import { z } from 'zod';
import { modelFileNames } from '../../pipelines/generation/model-file.ts';
import { named } from '../../pipelines/kernel/names.ts';
import { localPath } from '../../schemas/local-path.ts';
import { outputFolder } from '../output.ts';
import { defineCommand } from './command.ts';

/** The options of all generators' imports; each says whose it is. */
const importOptions = async (): Promise<z.ZodObject> => {
  const { generators } = await import('../../pipelines/generators/registry.ts');
  const found = new Map<string, { schema: z.ZodType; about: string; of: string[] }>();
  for (const { name, importCheckpoint } of generators.values())
    for (const [key, schema] of Object.entries<z.ZodType>(importCheckpoint?.options.shape ?? {})) {
      const isFile = importCheckpoint?.files?.includes(key) ?? false;
      const about = schema.description ?? '';
      const known = found.get(key);
      if (known) known.of.push(name);
      else found.set(key, { schema: isFile ? z.string().min(1).optional() : schema, about, of: [name] });
    }
  return z.object(
    Object.fromEntries(
      [...found].map(([key, { schema, about, of }]) => [key, schema.describe(`${of.join(', ')}: ${about}`)]),
    ),
  );
};

export const importCommand = defineCommand({
  name: 'import',
  summary: 'make a model from weights that a paper’s own code has trained',
  positionals: z.object({
    generator: z.string().describe('generator of the weights, one of `understudy models` that can import'),
    file: z.string().min(1).describe('safetensors file with the weights under the names of that code'),
  }),
  options: z.object({
    vocabulary: z
      .string()
      .min(1)
      .describe(
        'JSON file: codes in the order of the weights and labels, or the vocabulary of their tokenizer; for BART, codes with their names',
      ),
    seed: z.int().nonnegative().default(0).describe('of the random values for rows that the weights lack'),
    out: localPath.describe('folder for the model'),
    force: z.boolean().default(false).describe('replace a model that exists there'),
  }),
  moreOptions: importOptions,
  async run({ generator: name, file, vocabulary, seed, out, force, ...given }, io) {
    const { generators } = await import('../../pipelines/generators/registry.ts');
    const { importCheckpoint, readImportOptions } = await import(
      '../../pipelines/exchange/models/import-checkpoint.ts'
    );
    const { readVocabularyFile } = await import('../../pipelines/exchange/models/vocabulary-file.ts');
    const known = new Map([...generators].filter(([, { importCheckpoint: own }]) => own !== undefined));
    const generator = named('generator with weights to import', known, name);
    const folder = await outputFolder(out, modelFileNames, force);
    try {
      const { files, ...imported } = await importCheckpoint(generator, file, {
        vocabulary: await readVocabularyFile(vocabulary, generator.importCheckpoint?.vocabulary),
        options: await readImportOptions(generator, given),
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
