import type { Command } from './command.ts';
import { main } from './main.ts';

/** Runs the command line of this process to its end: signals, broken pipes, exit status. */
export const runAsProcess = async (argv: readonly string[], commands: readonly Command[]): Promise<void> => {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      // A second signal means that the user does not want to wait for a clean end.
      if (controller.signal.aborted) process.exit(130);
      controller.abort();
    });
  // A reader that has seen enough (`| head`) is no failure worth a trace; 141 is what a shell calls it.
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 141 : 74));

  const exit = await main(argv, commands, {
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
    signal: controller.signal,
  });
  // Pipes are written asynchronously: leave when the last byte is out, whatever else is still open.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(exit)));
};
