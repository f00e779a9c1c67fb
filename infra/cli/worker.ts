import { z } from 'zod';
import { defineCommand } from './command.ts';

export const workerCommand = defineCommand({
  name: 'worker',
  summary: 'serve one queue until Ctrl-C; cpu carries the workflows, gpu trains and generates',
  positionals: z.object({}),
  options: z.object({ queue: z.enum(['cpu', 'gpu']).describe('which work to do') }),
  async run({ queue }, io) {
    const { runWorker } = await import('../worker.ts');
    await runWorker({ queue, onReady: () => io.err(`worker of queue ${queue} is ready`) });
    return { queue };
  },
});
