import { crc32, deflateRawSync } from 'node:zlib';

/** A file for `zipOf`. `wide` writes its sizes and offset as 64-bit extras, as archives beyond 4 GiB do. */
export interface ZipFile {
  name: string;
  text: string;
  stored?: boolean;
  wide?: boolean;
}

const record = (size: number, fill: (view: Buffer) => void): Buffer => {
  const buffer = Buffer.alloc(size);
  fill(buffer);
  return buffer;
};

const wideExtra = (...values: number[]): Buffer =>
  record(4 + 8 * values.length, (b) => {
    b.writeUInt16LE(1, 0);
    b.writeUInt16LE(8 * values.length, 2);
    for (const [i, value] of values.entries()) b.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
  });

const local = (name: Buffer, method: number): Buffer =>
  Buffer.concat([
    record(30, (b) => {
      b.writeUInt32LE(0x04034b50, 0);
      b.writeUInt16LE(method, 8);
      b.writeUInt16LE(name.length, 26);
    }),
    name,
  ]);

const central = (file: ZipFile, name: Buffer, method: number, data: Buffer, offset: number): Buffer => {
  const size = Buffer.byteLength(file.text);
  const extra = file.wide ? wideExtra(size, data.length, offset) : Buffer.alloc(0);
  const head = record(46, (b) => {
    b.writeUInt32LE(0x02014b50, 0);
    b.writeUInt16LE(method, 10);
    b.writeUInt32LE(crc32(file.text), 16);
    b.writeUInt32LE(file.wide ? 0xffffffff : data.length, 20);
    b.writeUInt32LE(file.wide ? 0xffffffff : size, 24);
    b.writeUInt16LE(name.length, 28);
    b.writeUInt16LE(extra.length, 30);
    b.writeUInt32LE(file.wide ? 0xffffffff : offset, 42);
  });
  return Buffer.concat([head, name, extra]);
};

const end64 = (directory: number, length: number, at: number): Buffer =>
  Buffer.concat([
    record(56, (b) => {
      b.writeUInt32LE(0x06064b50, 0);
      b.writeBigUInt64LE(BigInt(length), 40);
      b.writeBigUInt64LE(BigInt(directory), 48);
    }),
    record(20, (b) => {
      b.writeUInt32LE(0x07064b50, 0);
      b.writeBigUInt64LE(BigInt(at), 8);
    }),
  ]);

/** A zip archive, for tests of the reader: the smallest that the format allows. */
export const zipOf = (files: readonly ZipFile[]): Buffer => {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const file of files) {
    const name = Buffer.from(file.name);
    const method = file.stored ? 0 : 8;
    const data = file.stored ? Buffer.from(file.text) : deflateRawSync(file.text);
    const body = Buffer.concat([local(name, method), data]);
    directory.push(central(file, name, method, data, offset));
    bodies.push(body);
    offset += body.length;
  }
  const entries = Buffer.concat(directory);
  const wide = files.some((file) => file.wide);
  const end = record(22, (b) => {
    b.writeUInt32LE(0x06054b50, 0);
    b.writeUInt32LE(wide ? 0xffffffff : entries.length, 12);
    b.writeUInt32LE(wide ? 0xffffffff : offset, 16);
  });
  const more = wide ? end64(offset, entries.length, offset + entries.length) : Buffer.alloc(0);
  return Buffer.concat([...bodies, entries, more, end]);
};
