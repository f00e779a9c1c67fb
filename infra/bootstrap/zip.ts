import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, join, normalize, sep } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';

/** One file of an archive, as the central directory lists it. */
export interface ZipEntry {
  name: string;
  method: number;
  crc: number;
  compressed: number;
  size: number;
  /** Where its local header begins. */
  offset: number;
}

const END = 0x06054b50;
const END64_LOCATOR = 0x07064b50;
const END64 = 0x06064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const UNKNOWN_32 = 0xffffffff;

const readAt = async (file: FileHandle, position: number, length: number): Promise<Buffer> => {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead !== length) throw new Error('the archive ends too early');
  return buffer;
};

const expectSignature = (buffer: Buffer, signature: number, what: string): void => {
  if (buffer.readUInt32LE(0) !== signature) throw new Error(`not a zip archive: no ${what}`);
};

/** Where the central directory is; archives beyond 4 GiB or 65,535 files say so in a 64-bit record. */
const centralDirectory = async (file: FileHandle): Promise<{ position: number; length: number }> => {
  const { size } = await file.stat();
  // The end record is 22 bytes and a comment of up to 65,535.
  const tailStart = Math.max(0, size - 22 - 65_535);
  const tail = await readAt(file, tailStart, size - tailStart);
  const signature = Buffer.alloc(4);
  signature.writeUInt32LE(END);
  const end = tail.lastIndexOf(signature);
  if (end < 0 || end + 22 > tail.length) throw new Error('not a zip archive: no end record');
  const length = tail.readUInt32LE(end + 12);
  const position = tail.readUInt32LE(end + 16);
  if (length !== UNKNOWN_32 && position !== UNKNOWN_32) return { position, length };
  const locator = await readAt(file, tailStart + end - 20, 20);
  expectSignature(locator, END64_LOCATOR, '64-bit locator');
  const record = await readAt(file, Number(locator.readBigUInt64LE(8)), 56);
  expectSignature(record, END64, '64-bit end record');
  return { length: Number(record.readBigUInt64LE(40)), position: Number(record.readBigUInt64LE(48)) };
};

/** Fills in, from the 64-bit extra field, whichever of size, compressed size and offset does not fit 32 bits. */
const widen = (extra: Buffer, size: number, compressed: number, offset: number): number[] => {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let next = at + 4;
    return [size, compressed, offset].map((value) => {
      if (value !== UNKNOWN_32) return value;
      next += 8;
      return Number(extra.readBigUInt64LE(next - 8));
    });
  }
  return [size, compressed, offset];
};

/** Every file of a zip archive. Throws when it is none, or is cut short. */
export const zipEntries = async (path: string): Promise<ZipEntry[]> => {
  const file = await open(path);
  try {
    const { position, length } = await centralDirectory(file);
    const central = await readAt(file, position, length);
    const entries: ZipEntry[] = [];
    for (let at = 0; at + 46 <= central.length; ) {
      expectSignature(central.subarray(at), CENTRAL, 'central directory');
      const nameEnd = at + 46 + central.readUInt16LE(at + 28);
      const extraEnd = nameEnd + central.readUInt16LE(at + 30);
      const [size = 0, compressed = 0, offset = 0] = widen(
        central.subarray(nameEnd, extraEnd),
        central.readUInt32LE(at + 24),
        central.readUInt32LE(at + 20),
        central.readUInt32LE(at + 42),
      );
      const name = central.toString('utf8', at + 46, nameEnd);
      const method = central.readUInt16LE(at + 10);
      entries.push({ name, method, crc: central.readUInt32LE(at + 16), compressed, size, offset });
      at = extraEnd + central.readUInt16LE(at + 32);
    }
    return entries;
  } finally {
    await file.close();
  }
};

const extract = async (archive: string, entry: ZipEntry, target: string): Promise<void> => {
  const file = await open(archive);
  const local = await readAt(file, entry.offset, 30).finally(() => file.close());
  expectSignature(local, LOCAL, `header of ${entry.name}`);
  if (entry.method !== 0 && entry.method !== 8)
    throw new Error(`${entry.name} is compressed by method ${entry.method}; only 0 and 8 are known`);
  const start = entry.offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  await mkdir(dirname(target), { recursive: true });
  const sink = createWriteStream(target);
  if (entry.size === 0) {
    sink.end();
    return;
  }
  let crc = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      crc = crc32(chunk, crc);
      next(null, chunk);
    },
  });
  const source = createReadStream(archive, {
    start,
    end: start + entry.compressed - 1,
    highWaterMark: 1 << 20,
  });
  if (entry.method === 0) await pipeline(source, check, sink);
  else await pipeline(source, createInflateRaw({ chunkSize: 1 << 20 }), check, sink);
  if (crc !== entry.crc) throw new Error(`${entry.name} is damaged: its checksum differs`);
};

/** Streams the files that `wanted` picks into `folder`, under their own names; gives back those names. */
export const unzip = async (
  archive: string,
  folder: string,
  wanted: (name: string) => boolean,
): Promise<string[]> => {
  const picked = (await zipEntries(archive)).filter(({ name }) => !name.endsWith('/') && wanted(name));
  for (const entry of picked) {
    const target = join(folder, normalize(entry.name));
    if (!target.startsWith(folder + sep)) throw new Error(`${entry.name} points outside the archive`);
    await extract(archive, entry, target);
  }
  return picked.map(({ name }) => name);
};
