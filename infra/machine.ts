import { access } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { dirname } from 'node:path';

export const GIB = 2 ** 30;
export const gib = (bytes: number) => `${(bytes / GIB).toFixed(1)} GiB`;

/** Memory of this machine or container, in bytes. */
export const memoryOfMachine = () => ({
  memory: Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY),
  memoryFree: process.availableMemory(),
});

/** The deepest folder on the way to `path` that exists: its disk is the one that would be written to. */
export const nearestFolder = async (path: string): Promise<string> => {
  const there = await access(path).then(
    () => true,
    () => false,
  );
  return there || dirname(path) === path ? path : nearestFolder(dirname(path));
};
