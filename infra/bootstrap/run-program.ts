import { spawn } from 'node:child_process';

/** How a program ended; `output` is the last of stdout and stderr together. */
export interface Ended {
  code: number;
  output: string;
}

const KEEP = 8_000;

/**
 * Runs a program to its end in a process group of its own, so that an abort leaves no grandchildren.
 * Resolves whatever the exit status (127 when it could not be started); rejects only on abort.
 */
export const runProgram = (
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Ended> =>
  new Promise((resolve, reject) => {
    options.signal?.throwIfAborted();
    const child = spawn(program, args, {
      ...(options.cwd ? { cwd: options.cwd } : {}),
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    const keep = (text: string) => {
      output = (output + text).slice(-KEEP);
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    const stop = () => {
      if (child.pid) process.kill(-child.pid, 'SIGKILL');
    };
    options.signal?.addEventListener('abort', stop, { once: true });
    child.once('error', (error) => {
      keep(error.message);
      if (!child.pid) resolve({ code: 127, output });
    });
    child.once('close', (code) => {
      options.signal?.removeEventListener('abort', stop);
      if (options.signal?.aborted) reject(options.signal.reason);
      else resolve({ code: code ?? 1, output });
    });
  });
