import { z } from 'zod';
import { named } from '../../pipelines/kernel/names.ts';
import type { Stage } from '../../schemas/stage.ts';
import { stages } from '../../schemas/stages/index.ts';
import { defineCommand } from './command.ts';
import { stageEntry, stageText } from './entries.ts';
import { columns } from './table.ts';

export const stagesCommand = defineCommand({
  name: 'stages',
  summary: 'list the stages, or describe one and its parameters',
  positionals: z.object({ name: z.string().optional().describe('a stage') }),
  options: z.object({}),
  async run({ name }, io) {
    const all: Stage[] = Object.values(stages);
    if (name !== undefined) {
      const stage = named('stage', new Map(Object.entries<Stage>(stages)), name);
      io.out(stageText(stage));
      return stageEntry(stage);
    }
    io.out(columns(all.map((stage) => [stage.name, stage.title, `→ ${stage.output}`])));
    return { stages: all.map(stageEntry) };
  },
});
