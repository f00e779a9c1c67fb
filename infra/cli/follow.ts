import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, ServiceError } from '@temporalio/client';
import type { CommandIo } from './command.ts';
import { FailedOutcome, Interruption, isFailureCode } from './failure-report.ts';
import { readSnapshot } from './run-snapshot.ts';
import type { RunSnapshot } from './run-view.ts';
import { LiveScreen, PlainScreen, type Screen } from './screen.ts';

/** What `follow` needs of a command's io. */
export type FollowIo = Pick<CommandIo, 'json' | 'err' | 'out' | 'signal'>;

const everyMs = 1000;
/** A server that restarts is back within seconds; one that is gone should not be waited for all night. */
const patienceMs = 300_000;

/** With `--json` pictures go to stderr as plain lines; else to stdout, live where that is a terminal. */
const screenFor = (io: FollowIo): Screen => {
  if (io.json) return new PlainScreen(io.err);
  return process.stdout.isTTY ? new LiveScreen(process.stdout) : new PlainScreen(io.out);
};

/**
 * Draws a run until it is over or the signal is aborted; returns the last that was seen. Outlives a restart of the
 * server. Throws RunMissing, and the server's own error when it stays away for five minutes.
 */
export const follow = async (client: Client, run: string, io: FollowIo): Promise<RunSnapshot> => {
  const screen = screenFor(io);
  let answered = Date.now();
  let last: RunSnapshot | undefined;
  while (!io.signal.aborted) {
    try {
      last = await readSnapshot(client, run);
      answered = Date.now();
    } catch (error) {
      if (!(error instanceof ServiceError) || Date.now() - answered > patienceMs) throw error;
      if (last) last = { ...last, note: 'the server does not answer; trying again' };
    }
    if (last) screen.show(last);
    if (last && last.state !== 'running') break;
    await sleep(everyMs, undefined, { signal: io.signal }).catch(() => undefined);
  }
  screen.close();
  if (!last) throw io.signal.reason;
  return last;
};

/** Throws a FailedOutcome that carries the run's own code, or an Interruption while it goes on. */
export const demandSuccess = (snapshot: RunSnapshot): void => {
  const { run, state, nodes, failure } = snapshot;
  if (state === 'completed') return;
  if (state === 'running') throw new Interruption({ ...snapshot });
  const codes = new Set(nodes.flatMap((node) => (node.state === 'failed' ? [node.failure?.code] : [])));
  const [only] = codes;
  // Where all failures have one code, that is the code of the run; otherwise it is just a failed run.
  const code = codes.size === 1 ? only : codes.size === 0 ? failure?.code : undefined;
  const message = failure ? `${run} failed: ${failure.message}` : `${run} ended ${state}`;
  throw new FailedOutcome(isFailureCode(code) ? code : 'RunFailed', message, { ...snapshot });
};
