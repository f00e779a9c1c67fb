import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';

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

const withFile = async <T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> => {
  const file = await open(path, 'r');
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

/** Makes a file or folder last through a power cut. */
export const flush = (path: string): Promise<void> => withFile(path, (file) => file.sync());
