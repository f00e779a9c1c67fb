import { z } from 'zod';
import { defineCommand } from './command.ts';
import { withClient } from './with-client.ts';

export const runsCommand = defineCommand({
  name: 'runs',
  summary: 'list the runs of the server, the newest first',
  positionals: z.object({}),
  options: z.object({
    limit: z.int().min(1).max(1000).default(20).describe('most runs to list'),
  }),
  run: ({ limit }, io) =>
    withClient(async (client) => {
      const { listRuns } = await import('./run-snapshot.ts');
      const { durationText } = await import('./run-view.ts');
      const { table } = await import('./table.ts');
      const runs = await listRuns(client, limit);
      io.out(
        runs.length === 0
          ? 'no runs here yet; start one with `npx understudy run`'
          : table(
              ['run', 'state', 'started (UTC)', 'took'],
              runs.map(({ run, state, started, seconds }) => [
                run,
                state,
                started.slice(0, 16).replace('T', ' '),
                durationText(seconds),
              ]),
            ),
      );
      return { runs };
    }),
});
