import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import { type Environment, readEnvironment } from '../../infra/env.ts';

/** A web server on the loopback interface for as long as the test runs; gives back its address. */
export const serve = async (
  t: ExecutionContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> => {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

/** An environment that finds no program and no network unless a test gives them. */
export const bareEnvironment = (cache: string, more: Partial<Environment> = {}): Environment => ({
  ...readEnvironment({ UNDERSTUDY_TEMPORAL_DOWNLOAD: 'off' }),
  cache,
  path: '',
  ...more,
});

/** Writes an executable shell script. */
export const script = async (path: string, body: string): Promise<string> => {
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
};

export const sha256 = (bytes: string | Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

/** How a process ended and what it wrote. */
export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Starts Node on a script, out of reach of the terminal; `done` settles when it has ended. */
export const startNode = (
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string | undefined> } = {},
): { child: ChildProcess; done: Promise<Ran> } => {
  const child = spawn(process.execPath, args, {
    ...(options.cwd ? { cwd: options.cwd } : {}),
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ran: Ran = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ran.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ran.stderr += text;
  });
  const done = once(child, 'close').then(([code]) => ({ ...ran, code: code as number | null }));
  return { child, done };
};
