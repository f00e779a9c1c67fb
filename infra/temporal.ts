import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { StageError } from '../schemas/errors.ts';
import { temporalBinary } from './bootstrap/temporal-binary.ts';
import { type GuardedProcess, startGuarded } from './guarded-process.ts';

export interface TemporalOptions {
  /** Holds `temporal.db` and `temporal.log`; made when absent. The same folder goes on where it stopped. */
  folder: string;
  /** Path of a Temporal CLI; default: the one on PATH or in the cache. */
  binary?: string;
  /** Default: a free one. */
  port?: number;
  /** Default: a free one; `false` serves no UI. */
  uiPort?: number | false;
}

/** A development server of our own. It ends when this process does. */
export interface TemporalServer {
  address: string;
  ui: string | undefined;
  logFile: string;
  exited: Promise<number>;
  stop(): Promise<void>;
  /** SIGKILL, as a crash would; for tests. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and file, after `stop` or `kill`. */
  restart(): Promise<TemporalServer>;
}

const ip = '127.0.0.1';
const healthyWithinMs = 60_000;

/**
 * Below the ports that systems lend to outgoing connections: a client that keeps knocking while the server is down
 * may be lent the server's own port, connect to itself, and so keep the server from coming back.
 */
const ports = { least: 10_240, most: 32_767 };

const freePort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(ports.least, ports.most + 1);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, ip, () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
};

const answers = async (address: string): Promise<boolean> => {
  try {
    const connection = await Connection.connect({ address, connectTimeout: '2s' });
    try {
      await connection.workflowService.describeNamespace({ namespace: 'default' });
      return true;
    } finally {
      await connection.close();
    }
  } catch {
    return false;
  }
};

const untilHealthy = async (server: GuardedProcess, address: string): Promise<void> => {
  const deadline = performance.now() + healthyWithinMs;
  while (!(await answers(address))) {
    if (server.status() !== undefined)
      throw new StageError(
        'TemporalUnavailable',
        `the Temporal server ended with status ${server.status()}:\n${await server.logTail()}`,
      );
    if (performance.now() > deadline) {
      await server.kill();
      throw new StageError(
        'TemporalUnavailable',
        `the Temporal server did not answer at ${address} within ${healthyWithinMs / 1000} s`,
      );
    }
    await sleep(100);
  }
};

/**
 * Starts `temporal server start-dev` on the loopback interface with a SQLite file, and waits until it answers.
 * It does not ask for newer versions. Throws TemporalUnavailable with the end of its log.
 */
export const startTemporal = async (options: TemporalOptions): Promise<TemporalServer> => {
  const { folder, binary = await temporalBinary(), port = await freePort() } = options;
  const { uiPort = await freePort() } = options;
  await mkdir(folder, { recursive: true });
  const logFile = join(folder, 'temporal.log');
  const command = [
    ...[binary, 'server', 'start-dev', '--ip', ip, '--port', String(port), '--log-level', 'error'],
    ...['--db-filename', join(folder, 'temporal.db')],
    ...(uiPort === false ? ['--headless'] : ['--ui-port', String(uiPort)]),
  ];
  const server = await startGuarded(command, {
    logFile,
    env: { ...process.env, TEMPORAL_VERSION_CHECK_DISABLED: '1' },
  });
  const address = `${ip}:${port}`;
  await untilHealthy(server, address);
  return {
    address,
    ui: uiPort === false ? undefined : `http://${ip}:${uiPort}`,
    logFile,
    exited: server.exited,
    stop: () => server.stop(),
    kill: () => server.kill(),
    restart: () => startTemporal({ folder, binary, port, uiPort }),
  };
};
