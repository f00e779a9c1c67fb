import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandIo } from './command.ts';
import { FailedOutcome, Interruption, isFailureCode } from './failure-report.ts';
import type { RunSnapshot } from './run-view.ts';
import { LiveScreen, PlainScreen, type Screen } from './screen.ts';

/** What `follow` needs of a command's io. */
export type FollowIo = Pick<CommandIo, 'json' | 'err' | 'out' | 'signal'>;

const everyMs = 1000;

/** With `--json` pictures go to stderr as plain lines; else to stdout, live where that is a terminal. */
const screenFor = (io: FollowIo): Screen => {
  if (io.json) return new PlainScreen(io.err);
  return process.stdout.isTTY ? new LiveScreen(process.stdout) : new PlainScreen(io.out);
};

/**
 * Shows a run until it is over or the signal is aborted; returns the last snapshot. `read` gives undefined
 * while nothing is known of the run; the end of `over`, where it is given, is seen at once.
 */
export const follow = async (
  read: () => Promise<RunSnapshot | undefined>,
  io: FollowIo,
  over: Promise<unknown> = new Promise(() => undefined),
): Promise<RunSnapshot> => {
  const screen = screenFor(io);
  let last: RunSnapshot | undefined;
  while (!io.signal.aborted) {
    last = await read();
    if (last) screen.show(last);
    if (last && last.state !== 'running') break;
    const pause = sleep(everyMs, undefined, { signal: io.signal }).catch(() => undefined);
    await Promise.race([pause, over]);
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
