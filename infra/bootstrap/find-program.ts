import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** The first executable called `name` on `path`, or undefined. */
export const findProgram = async (name: string, path: string): Promise<string | undefined> => {
  for (const folder of path.split(delimiter).filter(Boolean)) {
    const candidate = join(folder, name);
    const runs = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return candidate;
  }
  return undefined;
};

/** What a short command writes to stdout, or undefined when it fails, hangs, or is not there. */
export const askProgram = async (
  program: string,
  args: string[],
  timeoutMs = 15_000,
): Promise<string | undefined> => {
  try {
    const { stdout } = await promisify(execFile)(program, args, { timeout: timeoutMs });
    return stdout.trim();
  } catch {
    return undefined;
  }
};
