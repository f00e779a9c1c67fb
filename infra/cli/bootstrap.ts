import { z } from 'zod';
import { readEnvironment } from '../env.ts';
import { defineCommand } from './command.ts';

export const bootstrapCommand = defineCommand({
  name: 'bootstrap',
  summary: 'install native TensorFlow and the Temporal CLI into the cache (UNDERSTUDY_TF=gpu for CUDA)',
  positionals: z.object({}),
  options: z.object({}),
  async run(_input, io) {
    const { provision } = await import('../bootstrap/provision.ts');
    const { signal } = io;
    const done = await provision({ environment: readEnvironment(), say: (line) => io.err(line), signal });
    for (const warning of done.warnings) io.err(warning);
    io.out(`TensorFlow: ${done.tensorflow}`);
    io.out(`Temporal CLI: ${done.temporal.path}, server ${done.temporal.server}`);
    return done;
  },
});
