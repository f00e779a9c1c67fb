import { existsSync, rmSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { hasEnded, processName, thisProcess } from '../process-name.ts';
import type { Say } from './report.ts';

const ownerSchema = z.object({ pid: z.int(), host: z.string(), process: processName.optional() });
const BEAT_MS = 5_000;
const STALE_MS = 30_000;

/** The process that holds the lock, or undefined when no living process does. */
const holder = async (folder: string): Promise<{ pid: number; host: string } | undefined> => {
  try {
    const { mtimeMs } = await stat(folder);
    if (Date.now() - mtimeMs > STALE_MS) return undefined;
    const owner = ownerSchema.safeParse(JSON.parse(await readFile(join(folder, 'owner.json'), 'utf8')));
    if (!owner.success) return undefined;
    // Host name and number are for people: a set-up in another container may have the same ones.
    return owner.data.process && hasEnded(owner.data.process) ? undefined : owner.data;
  } catch {
    // Between mkdir and the owner's name: another process is just taking it, unless it stays so.
    return existsSync(folder) ? { pid: 0, host: 'unknown' } : undefined;
  }
};

const take = async (folder: string): Promise<boolean> => {
  try {
    await mkdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  await writeFile(
    join(folder, 'owner.json'),
    JSON.stringify({ pid: process.pid, host: hostname(), process: thisProcess }),
  );
  return true;
};

const clear = async (folder: string): Promise<void> => {
  const aside = `${folder}.stale-${process.pid}-${Date.now()}`;
  await rename(folder, aside).catch(() => {});
  await rm(aside, { recursive: true, force: true });
};

/**
 * Does `work` while no other set-up that shares the cache does its own. Everything in the cache is published by
 * a rename besides, so a lock that is lost (a frozen machine) costs double work and never a torn file.
 */
export const withLock = async <T>(cache: string, say: Say, work: () => Promise<T>): Promise<T> => {
  await mkdir(cache, { recursive: true });
  const folder = join(cache, 'lock');
  for (let waiting = false; !(await take(folder)); ) {
    const owner = await holder(folder);
    if (!owner) {
      await clear(folder);
      continue;
    }
    if (!waiting) say(`waiting for another set-up (process ${owner.pid} on ${owner.host}) …`);
    waiting = true;
    await sleep(300);
  }
  const beat = setInterval(() => void utimes(folder, new Date(), new Date()).catch(() => {}), BEAT_MS);
  beat.unref();
  const release = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    process.off('exit', release);
    release();
  }
};
