import { z } from 'zod';
import { named } from '../../pipelines/kernel/names.ts';
import { defineCommand } from './command.ts';
import { modelEntry, modelText } from './entries.ts';
import { columns } from './table.ts';

export const modelsCommand = defineCommand({
  name: 'models',
  summary: 'list the generators, or describe one and its config',
  positionals: z.object({ name: z.string().optional().describe('a generator') }),
  options: z.object({}),
  async run({ name }, io) {
    const { generators } = await import('../../pipelines/generators/registry.ts');
    if (name !== undefined) {
      const generator = named('generator', generators, name);
      io.out(modelText(generator));
      return modelEntry(generator);
    }
    const all = [...generators.values()];
    io.out(columns(all.map((generator) => [generator.name, generator.title])));
    return { models: all.map(modelEntry) };
  },
});
