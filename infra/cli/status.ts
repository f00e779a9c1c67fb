import { z } from 'zod';
import { readEnvironment } from '../env.ts';
import { defineCommand } from './command.ts';
import { withClient } from './with-client.ts';

/** The run that a command is about. */
export const runPositional = z.string().min(1).describe('id of a run, as `understudy run` prints it');

export const statusCommand = defineCommand({
  name: 'status',
  summary: 'show the state of a run and its nodes',
  positionals: z.object({ run: runPositional }),
  options: z.object({}),
  run: ({ run }, io) =>
    withClient(async (client) => {
      const { estimatedReader } = await import('./estimated-run.ts');
      const { showResults } = await import('./run-results.ts');
      const { runLines } = await import('./run-view.ts');
      const snapshot = await estimatedReader(client, run)();
      io.out(runLines(snapshot, process.stdout.columns ?? 0).join('\n'));
      return { ...snapshot, ...(await showResults(snapshot, readEnvironment(), io.out)) };
    }),
});
