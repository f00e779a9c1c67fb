import { failures, StageError } from '../../schemas/errors.ts';
import { readEnvironment } from '../env.ts';
import { provision } from './provision.ts';

const stop = new AbortController();
for (const [name, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  process.once(name, () => {
    process.exitCode = status;
    stop.abort(new Error(`stopped by ${name}`));
  });

/** What setup.mjs runs on Node 22 before its target. */
const say = (line: string) => process.stdout.write(`setup: ${line}\n`);
try {
  const { warnings } = await provision({ environment: readEnvironment(), say, signal: stop.signal });
  for (const warning of warnings) process.stderr.write(`\n${warning}\n\n`);
} catch (error) {
  const known = error instanceof StageError;
  if (!stop.signal.aborted) {
    process.stderr.write(`setup: ${known ? error.message : (error as Error).stack}\n`);
    process.exitCode = known ? failures[error.code].exit : 70;
  }
}
