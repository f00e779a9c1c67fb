/** A process that makes the attempts of one queue for a local run: `node stage-process.ts cpu|gpu`, by a channel. */
import { z } from 'zod';
import { thinned } from '../../activities/temporal-host.ts';
import { failureOf } from '../../activities/to-failure.ts';
import type { FromStageProcess } from './process-pool.ts';
import { attemptOrder, inThisProcess, machineTools } from './stage-attempt.ts';

const toStageProcess = z.union([z.object({ order: attemptOrder }), z.object({ stop: z.literal(true) })]);

const send = (message: FromStageProcess): void => {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
};

/** Stops the attempt that is under way. */
let stop = new AbortController();
let busy = false;
let leaving = false;

/** Ends this process; what is under way saves its checkpoint first, at its next safe point. */
const leave = (): void => {
  leaving = true;
  stop.abort();
  if (!busy) process.exit(0);
};
// Our parent is gone, however it went: nothing waits for us any more.
process.on('disconnect', leave);
process.on('SIGTERM', leave);
// A terminal sends these to its whole group: our parent hears them too, and stops us.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);

const queue = z.enum(['cpu', 'gpu']).parse(process.argv[2]);
const warnings: string[] = [];
try {
  const tools = await machineTools([queue], (text) => warnings.push(text));
  const performer = inThisProcess(tools);
  process.on('message', (raw) => {
    const message = toStageProcess.parse(raw);
    if ('stop' in message) return stop.abort();
    stop = new AbortController();
    busy = true;
    const beat = thinned((progress) => send({ beat: progress }));
    void performer.perform(message.order, queue, beat, stop.signal).then((end) => {
      busy = false;
      if (leaving) process.exit(0);
      send({ end });
    });
  });
  send({ ready: { device: tools.device, warnings } });
} catch (error) {
  send({ refused: failureOf(error) });
}
