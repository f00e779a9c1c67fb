import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, open, readFile } from 'node:fs/promises';

/**
 * Runs a command under a shell that watches its own standard input, a pipe from us: when we are gone, however
 * we went, the pipe ends and the command gets SIGTERM, then SIGKILL. Signals sent to the shell are passed on:
 * its trap is set before the command starts, since a shell that died of an early signal would leave the
 * command running. A signal ends a `wait` early, with the signal's status; the next one has the command's
 * own, or 127 where that was read before.
 */
const guard = `
child= signaled=
exec 3<&0
trap 'signaled=1; kill -TERM $child 2>/dev/null' TERM INT
"$@" </dev/null 3<&- &
child=$!
[ -z "$signaled" ] || kill -TERM $child 2>/dev/null
(
  cat <&3 >/dev/null
  kill -TERM $child
  for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    sleep 1
    kill -0 $child || exit
  done
  kill -KILL $child
) >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait $child
code=$?
while [ -n "$signaled" ]; do
  signaled=
  wait $child
  again=$?
  [ $again = 127 ] || code=$again
done
kill $watcher 2>/dev/null
exit $code
`;

/** A child process that cannot outlive us. */
export interface GuardedProcess {
  /** Settles when it has ended; the exit status is 128 + n after signal n. */
  exited: Promise<number>;
  /** Undefined while it runs. */
  status(): number | undefined;
  /** The last lines of its log file, for messages. */
  logTail(): Promise<string>;
  /** SIGTERM, and SIGKILL if it is still there after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
  /** SIGKILL at once. */
  kill(): Promise<void>;
}

export interface GuardedOptions {
  /** Gets stdout and stderr, appended. */
  logFile: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}

const signalGroup = ({ pid }: ChildProcess, signal: NodeJS.Signals): void => {
  try {
    // The shell leads a process group of its own, which a terminal's Ctrl-C does not reach.
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // Already gone.
  }
};

const spawnGuarded = (command: string[], log: FileHandle, { env, cwd }: GuardedOptions): ChildProcess =>
  spawn('/bin/sh', ['-c', guard, 'guard', ...command], {
    stdio: ['pipe', log.fd, log.fd],
    detached: true,
    ...(env && { env }),
    ...(cwd !== undefined && { cwd }),
  });

/** Starts a command; resolves once it was spawned. What it writes goes to the log file. */
export const startGuarded = async (command: string[], options: GuardedOptions): Promise<GuardedProcess> => {
  const log = await open(options.logFile, 'a');
  const child = spawnGuarded(command, log, options);
  await once(child, 'spawn').finally(() => log.close());
  let status: number | undefined;
  const exited = once(child, 'exit').then(([code, signal]) => {
    child.stdin?.destroy();
    status = typeof code === 'number' ? code : signal === 'SIGKILL' ? 137 : 143;
    return status;
  });
  child.stdin?.on('error', () => undefined);
  const kill = async (): Promise<void> => {
    if (status === undefined) signalGroup(child, 'SIGKILL');
    await exited;
  };
  return {
    exited,
    status: () => status,
    logTail: async () =>
      (await readFile(options.logFile, 'utf8')).trimEnd().split('\n').slice(-12).join('\n'),
    stop: async (graceMs = 20_000) => {
      if (status !== undefined) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs);
      await exited;
      clearTimeout(timer);
    },
    kill,
  };
};
