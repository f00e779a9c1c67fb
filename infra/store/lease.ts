import { readFileSync, readlinkSync } from 'node:fs';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { errnoOf } from './store-failure.ts';

/** A lease that was not renewed for this long has run out: no process at work is silent for an hour. */
const leaseMs = 3_600_000;
const renewMs = 20_000;

const processName = z.object({
  boot: z.string().describe('id of the start of the kernel: the machine, and since when it runs'),
  namespace: z.string().describe('which processes the number counts among: each container has its own'),
  pid: z.int(),
  started: z.string().describe('in ticks since the boot: numbers are used again'),
});
/** A process as Linux knows it, beyond its number. */
type ProcessName = z.output<typeof processName>;

/** When a process began, in ticks since the boot. Undefined where it cannot be seen, or is not process `pid`. */
const startOf = (pid: number, folder = String(pid)): string | undefined => {
  try {
    const text = readFileSync(`/proc/${folder}/stat`, 'utf8');
    // The name in parentheses may hold anything; the start is the 20th field after it.
    return text.startsWith(`${pid} (`) ? text.slice(text.lastIndexOf(')') + 2).split(' ')[19] : undefined;
  } catch {
    return undefined;
  }
};

/** This process. Undefined where there is no /proc, or one that counts processes otherwise. */
const nameSelf = (): ProcessName | undefined => {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const namespace = readlinkSync('/proc/self/ns/pid');
    const started = startOf(process.pid, 'self');
    return started === undefined ? undefined : { boot, namespace, pid: process.pid, started };
  } catch {
    return undefined;
  }
};
const self = nameSelf();

/** True where it is certain that a process of this machine and namespace has ended; elsewhere nothing is. */
const hasEnded = ({ boot, namespace, pid, started }: ProcessName): boolean => {
  if (self?.boot !== boot || self.namespace !== namespace) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there and of another user.
    if (errnoOf(error) === 'ESRCH') return true;
  }
  const found = startOf(pid);
  return found !== undefined && found !== started;
};

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
    await writeFile(this.path, `${JSON.stringify(self ?? {})}\n`);
    this.#renewedAt = performance.now();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
