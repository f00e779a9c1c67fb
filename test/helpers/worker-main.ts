/** A worker process for tests: queue and `toy` or `real` bodies as arguments, the rest by environment. */
import { runWorker } from '../../infra/worker.ts';
import { failures, StageError } from '../../schemas/errors.ts';
import { toyBodies } from './toy-bodies.ts';

const [queue, bodies] = process.argv.slice(2);
if (queue !== 'cpu' && queue !== 'gpu') throw new RangeError(`no queue ${queue}`);
try {
  await runWorker({ queue, ...(bodies === 'toy' && { bodies: toyBodies }) });
} catch (error) {
  if (!(error instanceof StageError)) throw error;
  // What hangs may hold the event loop.
  process.exit(failures[error.code].exit);
}
