import { z } from 'zod';
import { defineCommand } from './command.ts';
import { runPositional } from './status.ts';
import { withClient } from './with-client.ts';

export const watchCommand = defineCommand({
  name: 'watch',
  summary: 'follow a run until it ends; the exit status is that of the run',
  positionals: z.object({ run: runPositional }),
  options: z.object({}),
  run: ({ run }, io) =>
    withClient(async (client) => {
      const { followRun } = await import('./temporal-run.ts');
      return followRun(client, run, io);
    }),
});
