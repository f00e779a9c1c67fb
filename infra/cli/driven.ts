import type { AsyncSteps } from '../../pipelines/kernel/steps.ts';
import type { Progress } from '../../schemas/progress.ts';
import type { CommandIo } from './command.ts';
import { durationText } from './run-view.ts';

/** Prints on stderr when a piece of work begins, and every ten seconds how far a long one is. */
const progressPrinter = (io: CommandIo) => {
  const began = performance.now();
  let printed = { phase: '', at: 0 };
  return ({ phase = 'working', step, of }: Progress): void => {
    const now = performance.now();
    if (phase === printed.phase && now - printed.at < 10_000) return;
    printed = { phase, at: now };
    const share = `${Math.floor((100 * step) / of)} %`.padStart(5);
    io.err(`  ${durationText((now - began) / 1000).padStart(8)} ${share}  ${phase}`);
  };
};

/** Runs work of this process to its end: prints how far it is, and ends it on Ctrl-C. */
export const driven = async <T>(work: AsyncSteps<T>, io: CommandIo): Promise<T> => {
  const print = progressPrinter(io);
  let turn = await work.next();
  try {
    for (; !turn.done; turn = await work.next()) {
      print(turn.value);
      // Much of the work computes without a pause: give the event loop a turn, so that Ctrl-C arrives.
      await new Promise((resume) => setImmediate(resume));
      io.signal.throwIfAborted();
    }
    return turn.value;
  } finally {
    if (!turn.done) await work.return(undefined as never);
  }
};
