import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type { WriteWatch } from '../../schemas/store.ts';

/** Node refuses single reads and digests of 2 GiB and more; a checkpoint may be larger. */
const portion = 64 * 1024 * 1024;

/** sha256 of bytes of any length, in hex. */
export const sha256 = (bytes: Uint8Array | string): string => {
  const hash = createHash('sha256');
  if (typeof bytes === 'string') return hash.update(bytes).digest('hex');
  for (let at = 0; at < bytes.length; at += portion) hash.update(bytes.subarray(at, at + portion));
  return hash.digest('hex');
};

/** As sha256, but the event loop gets its turn between portions. */
export const sha256InTurns = async (bytes: Uint8Array): Promise<string> => {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.length; at += portion) {
    hash.update(bytes.subarray(at, at + portion));
    await setImmediate();
  }
  return hash.digest('hex');
};

const withFile = async <T>(path: string, work: (file: FileHandle) => Promise<T>, flags = 'r'): Promise<T> => {
  const file = await open(path, flags);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
};

/** The first `length` bytes of a file, or all of it; fewer when it is shorter. */
export const readStart = (path: string, length = Number.POSITIVE_INFINITY): Promise<Uint8Array> =>
  withFile(path, async (file) => {
    const bytes = new Uint8Array(Math.min(length, (await file.stat()).size));
    let at = 0;
    while (at < bytes.length) {
      const { bytesRead } = await file.read(bytes, at, Math.min(portion, bytes.length - at), at);
      if (bytesRead === 0) return bytes.subarray(0, at);
      at += bytesRead;
    }
    return bytes;
  });

/** Length and sha256 of a file, read in portions. */
export const fileDigest = (path: string): Promise<{ bytes: number; sha256: string }> =>
  withFile(path, async (file) => {
    const buffer = new Uint8Array(1024 * 1024);
    const hash = createHash('sha256');
    for (let bytes = 0; ; ) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, bytes);
      if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
      hash.update(buffer.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  });

const writeAll = async (file: FileHandle, bytes: Uint8Array): Promise<void> => {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
};

/**
 * Writes a new file, to the disk. What is longer than a portion is flushed portion by portion: otherwise the system
 * takes all of it into memory at once and the last flush, of which nothing can be reported, is all of the time.
 * Throws the reason of `signal` between two portions.
 */
export const writeFlushed = (
  path: string,
  parts: readonly (Uint8Array | string)[],
  { progressed, signal }: Partial<WriteWatch> = {},
): Promise<void> =>
  withFile(
    path,
    async (file) => {
      for (const part of parts) {
        const bytes = typeof part === 'string' ? new TextEncoder().encode(part) : part;
        for (let at = 0; at < bytes.length; at += portion) {
          signal?.throwIfAborted();
          await writeAll(file, bytes.subarray(at, at + portion));
          if (bytes.length > portion) await file.datasync();
          progressed?.();
        }
      }
      await file.sync();
    },
    'wx',
  );

/** Makes a file or folder last through a power cut. */
export const flush = (path: string): Promise<void> => withFile(path, (file) => file.sync());
