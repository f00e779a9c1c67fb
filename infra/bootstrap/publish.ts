import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const HOUR_MS = 3_600_000;

/** Removes what set-ups that were killed left half-written beside `target`. */
const sweep = async (folder: string): Promise<void> => {
  for (const name of await readdir(folder)) {
    if (!name.includes('.partial-')) continue;
    const path = join(folder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > HOUR_MS) await rm(path, { recursive: true, force: true });
  }
};

/**
 * Makes a folder of the cache: `fill` writes into a private one, which takes its name when all is there.
 * A folder that has its name is therefore whole. Does nothing when it is there already.
 */
export const publish = async (target: string, fill: (draft: string) => Promise<void>): Promise<string> => {
  if (existsSync(target)) return target;
  await mkdir(dirname(target), { recursive: true });
  await sweep(dirname(target));
  const draft = `${target}.partial-${process.pid}-${randomBytes(4).toString('hex')}`;
  await mkdir(draft);
  try {
    await fill(draft);
    await rename(draft, target).catch((error: unknown) => {
      // Another process was first: its result is as good.
      if (!existsSync(target)) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return target;
};
