import { z } from 'zod';
import { defineCommand } from './command.ts';

export const workerCommand = defineCommand({
  name: 'worker',
  summary: 'work on one queue until Ctrl-C; cpu runs the workflows, gpu trains, generates and scores',
  positionals: z.object({}),
  options: z.object({ queue: z.enum(['cpu', 'gpu']).describe('queue to work on') }),
  async run({ queue }, io) {
    const { runWorker } = await import('../worker.ts');
    await runWorker({ queue, onReady: () => io.err(`worker of queue ${queue} is ready`) });
    return { queue };
  },
});
