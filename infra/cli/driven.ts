import type { AsyncSteps } from '../../pipelines/kernel/steps.ts';
import type { Progress } from '../../schemas/progress.ts';
import type { CommandIo } from './command.ts';
import { durationText } from './run-view.ts';

/** Tells on stderr when a piece of work begins, and every ten seconds how far a long one is. */
const progressTeller = (io: CommandIo) => {
  const began = performance.now();
  let told = { phase: '', at: 0 };
  return ({ phase = 'working', step, of }: Progress): void => {
    const now = performance.now();
    if (phase === told.phase && now - told.at < 10_000) return;
    told = { phase, at: now };
    const share = `${Math.floor((100 * step) / of)} %`.padStart(5);
    io.err(`  ${durationText((now - began) / 1000).padStart(8)} ${share}  ${phase}`);
  };
};

/** Runs work of this process to its end: tells how far it is, and ends it on Ctrl-C. */
export const driven = async <T>(work: AsyncSteps<T>, io: CommandIo): Promise<T> => {
  const tell = progressTeller(io);
  let turn = await work.next();
  try {
    for (; !turn.done; turn = await work.next()) {
      tell(turn.value);
      // Much of it computes without a pause of their own: let Ctrl-C be heard.
      await new Promise((resume) => setImmediate(resume));
      io.signal.throwIfAborted();
    }
    return turn.value;
  } finally {
    if (!turn.done) await work.return(undefined as never);
  }
};
