import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hasEnded, type ProcessName, processName, thisProcess } from '../process-name.ts';

/** A lease that was not renewed for this long has run out: no process at work is silent for an hour. */
const leaseMs = 3_600_000;
const renewMs = 20_000;

const holderOf = async (path: string): Promise<ProcessName | undefined> => {
  try {
    return processName.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
};

/**
 * True for the lease of a process that is gone: by its age at `now`, or at once where its holder ran on this machine
 * and has ended. `now` is a time of the same file system, since clocks of machines differ. False where there is none.
 */
export const hasRunOut = async (path: string, now: number): Promise<boolean> => {
  const found = await stat(path).catch(() => undefined);
  if (!found) return false;
  if (now - found.mtimeMs > leaseMs) return true;
  const holder = await holderOf(path);
  return holder !== undefined && hasEnded(holder);
};

/**
 * A file that stands for "what is mine here is in use": written when the first thing is held, renewed by a timer and
 * `renew`, removed with the last one. Only the file system's clock dates it. Throws system errors.
 */
export class Lease {
  readonly path: string;
  #held = 0;
  #renewedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  /** One change of the file at a time, in the order they were asked for. */
  #last: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.path = path;
  }

  async hold(): Promise<void> {
    this.#held += 1;
    this.#timer ??= setInterval(() => void this.renew(), renewMs).unref();
    try {
      await this.#inTurn(() => this.#write());
    } catch (error) {
      await this.free();
      throw error;
    }
  }

  /** Quick where it was renewed just now. A failure is left to the next time: an hour is long. */
  async renew(): Promise<void> {
    if (performance.now() - this.#renewedAt < renewMs / 2) return;
    await this.#inTurn(() => (this.#held > 0 ? this.#write() : Promise.resolve())).catch(() => undefined);
  }

  async free(): Promise<void> {
    this.#held -= 1;
    if (this.#held > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#inTurn(() => (this.#held > 0 ? Promise.resolve() : rm(this.path, { force: true }))).catch(
      () => undefined,
    );
  }

  async #write(): Promise<void> {
    await writeFile(this.path, `${JSON.stringify(thisProcess ?? {})}\n`);
    this.#renewedAt = performance.now();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
