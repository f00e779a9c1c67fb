import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { WriteWatch } from '../../schemas/store.ts';
import { flush, writeFlushed } from './bytes.ts';
import { hasRunOut, Lease } from './lease.ts';

/** Longer than any stage may run: what has no lease (an earlier version of Understudy made it) is left this long. */
const abandonedAfterMs = 7 * 24 * 3600 * 1000;
/** A process that runs for days cleans up after others that died meanwhile. */
const sweepEveryMs = 600_000;

/** Names here: `<owner>~<random>` is a thing in the making, `<owner>.lease` says that its owner lives. */
const owned = /^([0-9a-f]{24})(?:~[0-9a-f]{12}|(\.lease))$/;
const leaseName = (owner: string): string => `${owner}.lease`;

/** A path for one thing in the making. */
export interface TempPlace {
  path: string;
  /** Says that it is still in use; a timer does so as well while the event loop runs. */
  renew(): Promise<void>;
  /** Says that nothing is there any more. Safe to call twice. */
  free(): Promise<void>;
}

/**
 * Where things are made before they are moved into place; on the same file system as the store, so that the move is
 * atomic. Who made a thing is a random name, not host and process number, which two containers may have in common.
 * The owner holds a lease while it makes something; things of an owner whose lease has run out, or whose process is
 * known to have ended, are removed by the next writer.
 */
export class TempFolder {
  readonly #folder: string;
  readonly #owner = randomBytes(12).toString('hex');
  readonly #lease: Lease;
  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(folder: string) {
    this.#folder = folder;
    this.#lease = new Lease(join(folder, leaseName(this.#owner)));
  }

  /** A path that is used once; nothing is created there. */
  async reserve(): Promise<TempPlace> {
    await mkdir(this.#folder, { recursive: true });
    await this.#lease.hold();
    let held = true;
    const free = async () => {
      if (held) {
        held = false;
        await this.#lease.free();
      }
    };
    if (performance.now() - this.#sweptAt > sweepEveryMs) {
      this.#sweptAt = performance.now();
      // What stops a sweep stops the work as well, if it matters, and is reported there.
      await this.#sweep().catch(() => undefined);
    }
    return { path: this.#newPath(), renew: () => this.#lease.renew(), free };
  }

  /**
   * Writes a file so that readers see the old content or the new one, whatever dies when. Once the watch's signal is
   * aborted the old one stays, and its reason is thrown.
   */
  async replace(
    target: string,
    content: readonly (Uint8Array | string)[],
    watch?: WriteWatch,
  ): Promise<void> {
    const place = await this.reserve();
    try {
      await writeFlushed(place.path, content, watch);
      await mkdir(dirname(target), { recursive: true });
      watch?.signal.throwIfAborted();
      await rename(place.path, target);
      await flush(dirname(target));
    } catch (error) {
      await rm(place.path, { force: true });
      throw error;
    } finally {
      await place.free();
    }
  }

  #newPath(): string {
    return join(this.#folder, `${this.#owner}~${randomBytes(6).toString('hex')}`);
  }

  async #sweep(): Promise<void> {
    const names = await readdir(this.#folder);
    // Our lease was written a moment ago: its time is the file system's now.
    const { mtimeMs: now } = await stat(this.#lease.path);
    // Leases last, so that what is left of a sweep that dies is swept again.
    const order = [...names].sort((a, b) => Number(a.endsWith('.lease')) - Number(b.endsWith('.lease')));
    for (const name of order)
      if (await this.#isAbandoned(name, names, now).catch(() => false))
        await this.#remove(name).catch(() => undefined);
  }

  async #isAbandoned(name: string, names: readonly string[], now: number): Promise<boolean> {
    const [, owner] = owned.exec(name) ?? [];
    if (owner === this.#owner) return false;
    if (owner !== undefined && names.includes(leaseName(owner)))
      return hasRunOut(join(this.#folder, leaseName(owner)), now);
    return now - (await stat(join(this.#folder, name))).mtimeMs > abandonedAfterMs;
  }

  /** Away at once and as a whole, so that an owner that wakes up finds all of its work or nothing. */
  async #remove(name: string): Promise<void> {
    const aside = this.#newPath();
    await rename(join(this.#folder, name), aside);
    await rm(aside, { recursive: true, force: true });
  }
}
