import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import type { CheckpointRecord, WriteWatch } from '../../schemas/store.ts';
import { readStart, sha256InTurns } from './bytes.ts';
import { guarded, guardedIfThere } from './store-failure.ts';
import type { TempFolder } from './temp-folder.ts';

const header = z.object({
  step: z.int().nonnegative(),
  attempt: z.int(),
  owner: z.string(),
  bytes: z.int().nonnegative(),
  sha256: z.string(),
});
type Header = z.output<typeof header>;

/** Fixed, longer than any header (a workflow id has at most 1000 bytes), and a multiple of eight for views. */
const headerLength = 2048;

const encodeHeader = async ({ bytes, step, attempt, owner }: CheckpointRecord): Promise<string> => {
  const fields: Header = { step, attempt, owner, bytes: bytes.length, sha256: await sha256InTurns(bytes) };
  return `${JSON.stringify(fields).padEnd(headerLength - 1)}\n`;
};

const decodeHeader = (bytes: Uint8Array): Header | undefined => {
  try {
    return header.parse(JSON.parse(new TextDecoder().decode(bytes.subarray(0, headerLength))));
  } catch {
    return undefined;
  }
};

const decode = async (file: Uint8Array): Promise<CheckpointRecord | undefined> => {
  const found = decodeHeader(file);
  const bytes = file.subarray(headerLength);
  if (found?.bytes !== bytes.length || found.sha256 !== (await sha256InTurns(bytes))) return undefined;
  return { step: found.step, attempt: found.attempt, owner: found.owner, bytes };
};

/** Names of the two files. */
const slots = ['a', 'b'];

const stepOf = (record: { step: number } | undefined): number => record?.step ?? -1;

/**
 * Half-done work, by cache key, in two files that take turns: each is one line of JSON (step, writer, digest)
 * and the bytes. A torn or spoiled file counts as absent, and the other one stands.
 */
export class CheckpointSlots {
  readonly #folder: string;
  readonly #temp: TempFolder;

  constructor(folder: string, temp: TempFolder) {
    this.#folder = folder;
    this.#temp = temp;
  }

  #slot(key: string, slot: string): string {
    return join(this.#folder, key, `${slot}.checkpoint`);
  }

  #read(key: string, slot: string, bytes?: number): Promise<Uint8Array | undefined> {
    return guardedIfThere('reading a checkpoint', () => readStart(this.#slot(key, slot), bytes));
  }

  async #headers(key: string): Promise<(Header | undefined)[]> {
    return Promise.all(
      slots.map(async (slot) => {
        const found = await this.#read(key, slot, headerLength);
        return found && decodeHeader(found);
      }),
    );
  }

  /** The sound checkpoint that is furthest along. Holds one at a time. */
  async read(key: string): Promise<CheckpointRecord | undefined> {
    const [a, b] = await this.#headers(key);
    for (const slot of stepOf(a) > stepOf(b) ? slots : slots.toReversed()) {
      const file = await this.#read(key, slot);
      const record = file && (await decode(file));
      if (record) return record;
    }
    return undefined;
  }

  /** Overwrites the slot that is less far along. Throws Superseded when a later attempt of the owner wrote, and as `watch` says. */
  async write(key: string, checkpoint: CheckpointRecord, watch?: WriteWatch): Promise<void> {
    const [a, b] = await this.#headers(key);
    for (const other of [a, b])
      if (other && other.owner === checkpoint.owner && other.attempt > checkpoint.attempt)
        throw new StageError(
          'Superseded',
          `attempt ${other.attempt} works on this already; attempt ${checkpoint.attempt} stops`,
        );
    const slot = this.#slot(key, stepOf(a) <= stepOf(b) ? 'a' : 'b');
    const start = await encodeHeader(checkpoint);
    await guarded('writing a checkpoint', () => this.#temp.replace(slot, [start, checkpoint.bytes], watch));
  }

  async drop(key: string): Promise<void> {
    await guarded('dropping a checkpoint', () =>
      rm(join(this.#folder, key), { recursive: true, force: true }),
    );
  }
}
