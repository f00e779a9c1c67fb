import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { flush } from './bytes.ts';
import { errnoOf } from './store-failure.ts';

/** Longer than any stage may run, so nothing alive is this old. */
const abandonedAfterMs = 7 * 24 * 3600 * 1000;

const host = hostname().replaceAll('~', '-');
/** Tells this process from an earlier one with the same number (in containers it is always 1). */
const birth = Math.round(Date.now() - process.uptime() * 1000).toString(36);

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
};

const isAbandoned = async (folder: string, name: string): Promise<boolean> => {
  const [owner, pid, born] = name.split('~');
  if (owner === host && pid === String(process.pid)) return born !== birth;
  if (owner === host && !isAlive(Number(pid))) return true;
  return Date.now() - (await stat(join(folder, name))).mtimeMs > abandonedAfterMs;
};

/**
 * Where things are made before they are moved into place; on the same file system as the store, so that the
 * move is atomic. Names carry host, process and birth: what a dead process left is removed by the next writer.
 */
export class TempFolder {
  readonly #folder: string;
  #swept = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A name that nobody else uses; nothing is created but the folder around it. */
  async place(): Promise<string> {
    await mkdir(this.#folder, { recursive: true });
    if (!this.#swept) {
      this.#swept = true;
      await this.#sweep();
    }
    return join(this.#folder, `${host}~${process.pid}~${birth}~${randomBytes(6).toString('hex')}`);
  }

  /** Writes a file so that readers see the old content or the new one, whatever dies when. */
  async replace(target: string, ...content: (Uint8Array | string)[]): Promise<void> {
    const draft = await this.place();
    try {
      await writeFile(draft, content, { flush: true });
      await mkdir(dirname(target), { recursive: true });
      await rename(draft, target);
      await flush(dirname(target));
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }

  async #sweep(): Promise<void> {
    for (const name of await readdir(this.#folder))
      if (await isAbandoned(this.#folder, name).catch(() => false))
        await rm(join(this.#folder, name), { recursive: true, force: true });
  }
}
