import { once } from 'node:events';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import { localPath } from '../../schemas/local-path.ts';
import { readEnvironment } from '../env.ts';
import { defineCommand } from './command.ts';

/** Throws when a program listens there already: it would answer instead of our server. */
const demandFree = async (port: number, what: string): Promise<void> => {
  const probe = createServer().listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
  } catch (cause) {
    throw new StageError(
      'InvalidUsage',
      `port ${port} for ${what} is taken: end the program that listens there, or choose another port`,
      { cause },
    );
  }
  probe.close();
  await once(probe, 'close');
};

const port = z.int().min(1).max(65_535);
const usualPort = 7233;

export const devCommand = defineCommand({
  name: 'dev',
  summary: 'run a Temporal development server, a cpu worker and a gpu worker until Ctrl-C',
  positionals: z.object({}),
  options: z.object({
    folder: localPath.default('.understudy').describe('folder for the database of the server, and for logs'),
    port: port.default(usualPort).describe('port of the server'),
    uiPort: port.default(8233).describe('port of the web interface'),
  }),
  async run({ folder, port: serverPort, uiPort }, io) {
    await demandFree(serverPort, 'the server');
    await demandFree(uiPort, 'the web interface');
    const { startStack } = await import('../stack.ts');
    const { store } = readEnvironment();
    const ports = { server: serverPort, ui: uiPort };
    const stack = await startStack({ folder: resolve(folder), store, ports, say: io.err });
    try {
      io.err(
        `server   ${stack.server.address}\nUI       ${stack.server.ui}\nstore    ${store}\nlogs     ${stack.logs}`,
      );
      if (serverPort !== usualPort)
        io.err(`\nOther commands find it with UNDERSTUDY_TEMPORAL_ADDRESS=${stack.server.address}.`);
      io.err('\nCtrl-C stops everything.');
      const interrupted = io.signal.aborted || once(io.signal, 'abort');
      await Promise.race([interrupted, stack.broken]);
    } finally {
      await stack.stop();
    }
    return { stopped: true };
  },
});
