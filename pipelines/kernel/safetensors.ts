import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import type { NamedArray, PendingArray, Saved, Saving } from './checkpointable.ts';
import { release } from './free-array.ts';
import { Pace } from './pace.ts';

const arrayTypes = {
  F64: Float64Array,
  I64: BigInt64Array,
  F32: Float32Array,
  I32: Int32Array,
  U8: Uint8Array,
} as const;
type DType = keyof typeof arrayTypes;

/** Kinds of numbers that others write and we read: halves and truth values, as the nearest kind of ours. */
const foreignTypes = { F16: 2, BF16: 2, BOOL: 1 } as const;
type ForeignType = keyof typeof foreignTypes;
type FileType = DType | ForeignType;

const bytesOf = (dtype: FileType): number =>
  dtype in foreignTypes ? foreignTypes[dtype as ForeignType] : arrayTypes[dtype as DType].BYTES_PER_ELEMENT;

const tensorHeader = z.object({
  dtype: z.enum([...Object.keys(arrayTypes), ...Object.keys(foreignTypes)] as [FileType, ...FileType[]]),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
type TensorHeader = z.output<typeof tensorHeader>;

/** What a safetensors file holds; `metadata` is its optional string-to-string map. */
interface SafetensorsFile {
  arrays: Record<string, NamedArray>;
  metadata: Record<string, string>;
}

const dtypeOf = (data: NamedArray['data']): DType =>
  (Object.keys(arrayTypes) as DType[]).find((name) => data instanceof arrayTypes[name]) ?? 'U8';

const elements = (shape: number[]): number => shape.reduce((product, size) => product * size, 1);

type Arrays = Record<string, NamedArray | PendingArray>;

/** Kind and bytes of an array, without making it. */
const extent = (name: string, array: NamedArray | PendingArray): { dtype: DType; bytes: number } => {
  const count = elements(array.shape);
  if (!('data' in array)) return { dtype: 'F32', bytes: 4 * count };
  const { data, shape } = array;
  if (count !== data.length)
    throw new RangeError(`${name}: shape [${shape}] does not hold ${data.length} numbers`);
  return { dtype: dtypeOf(data), bytes: data.byteLength };
};

/** Bytes of a safetensors file, with a rest after each array. */
function* encoding(arrays: Arrays, metadata: Record<string, string>): Generator<void, Uint8Array> {
  const entries = Object.entries(arrays)
    .map(([name, array]) => ({ name, array, ...extent(name, array) }))
    .sort((a, b) => bytesOf(b.dtype) - bytesOf(a.dtype) || (a.name < b.name ? -1 : 1));
  const header: Record<string, TensorHeader | Record<string, string>> = {};
  if (Object.keys(metadata).length > 0)
    header['__metadata__'] = Object.fromEntries(
      Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  let end = 0;
  for (const { name, array, dtype, bytes } of entries) {
    header[name] = { dtype, shape: array.shape, data_offsets: [end, end + bytes] };
    end += bytes;
  }
  let text = new TextEncoder().encode(JSON.stringify(header));
  if (text.length % 8 > 0) {
    const padded = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(0x20);
    padded.set(text);
    text = padded;
  }
  const file = new Uint8Array(8 + text.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  let at = 8 + text.length;
  for (const { array, bytes } of entries) {
    const data = 'data' in array ? array.data : array.read();
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    if (!('data' in array)) release(data);
    at += bytes;
    yield;
  }
  return file;
}

/**
 * Bytes of a safetensors file (huggingface/safetensors, format 0.4). Same arrays, same bytes: tensors are
 * ordered by element size, then by name, so that each starts aligned. Throws RangeError when a shape does not
 * fit its data.
 */
export const encodeSafetensors = (arrays: Arrays, metadata: Record<string, string> = {}): Uint8Array => {
  const steps = encoding(arrays, metadata);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
};

const corrupt = (what: string): StageError =>
  new StageError('ArtifactCorrupt', `not a safetensors file we can read: ${what}`);

const readHeader = (bytes: Uint8Array): { entries: Map<string, unknown>; start: number } => {
  if (bytes.length < 8) throw corrupt(`${bytes.length} bytes, at least 8 expected`);
  const size = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (size > BigInt(bytes.length - 8)) throw corrupt(`header of ${size} bytes in a file of ${bytes.length}`);
  const start = 8 + Number(size);
  try {
    const parsed = z
      .record(z.string(), z.unknown())
      .parse(JSON.parse(new TextDecoder().decode(bytes.subarray(8, start))));
    return { entries: new Map(Object.entries(parsed)), start };
  } catch (cause) {
    throw new StageError(
      'ArtifactCorrupt',
      'not a safetensors file we can read: its header is not a JSON object',
      {
        cause,
      },
    );
  }
};

/** IEEE 754 binary16 as a number. */
const half = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
};

/** 16-bit numbers as 32-bit ones: a bfloat16 is the upper half of a float32. */
const widened = (bytes: Uint8Array, dtype: 'F16' | 'BF16'): Float32Array => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(bytes.length / 2);
  const upper = new Uint32Array(values.buffer);
  for (let i = 0; i < values.length; i++) {
    const bits = view.getUint16(2 * i, true);
    if (dtype === 'F16') values[i] = half(bits);
    else upper[i] = bits * 65_536;
  }
  return values;
};

/** Views where the alignment allows it, copies where not. */
const readArray = (bytes: Uint8Array, from: number, { dtype, shape }: TensorHeader): NamedArray => {
  const length = elements(shape);
  if (dtype === 'F16' || dtype === 'BF16')
    return { shape, data: widened(bytes.subarray(from, from + 2 * length), dtype) };
  const type = dtype === 'BOOL' ? Uint8Array : arrayTypes[dtype];
  const offset = bytes.byteOffset + from;
  if (offset % type.BYTES_PER_ELEMENT === 0)
    return { shape, data: new type(bytes.buffer as ArrayBuffer, offset, length) };
  return { shape, data: new type(bytes.slice(from, from + length * type.BYTES_PER_ELEMENT).buffer) };
};

/**
 * Reads a safetensors file. Arrays are views on `bytes` where aligned; 16-bit floats become 32-bit ones,
 * truth values bytes. Throws ArtifactCorrupt.
 */
export const decodeSafetensors = (bytes: Uint8Array): SafetensorsFile => {
  const { entries, start } = readHeader(bytes);
  const metadata = z
    .record(z.string(), z.string())
    .catch({})
    .parse(entries.get('__metadata__') ?? {});
  entries.delete('__metadata__');
  const headers = [...entries].map(([name, entry]): [string, TensorHeader] => {
    const checked = tensorHeader.safeParse(entry);
    if (!checked.success) throw corrupt(`tensor ${name}: ${z.prettifyError(checked.error)}`);
    return [name, checked.data];
  });
  const arrays: Record<string, NamedArray> = {};
  let at = 0;
  for (const [name, header] of headers.sort(
    ([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1],
  )) {
    const [from, to] = header.data_offsets;
    const expected = elements(header.shape) * bytesOf(header.dtype);
    if (from !== at || to - from !== expected)
      throw corrupt(`tensor ${name} at ${from}–${to}, expected ${at}–${at + expected}`);
    if (start + to > bytes.length) throw corrupt(`tensor ${name} ends beyond the file: it is truncated`);
    arrays[name] = readArray(bytes, start + from, header);
    at = to;
  }
  if (start + at !== bytes.length) throw corrupt(`${bytes.length - start - at} bytes after the last tensor`);
  return { arrays, metadata };
};

const metadataOf = ({ json }: Saving): Record<string, string> => ({ json: JSON.stringify(json) });

/** A saved state as bytes: its arrays as safetensors, its JSON in the metadata. Same state, same bytes. */
export const encodeSaved = (saved: Saving): Uint8Array => encodeSafetensors(saved.arrays, metadataOf(saved));

/** As encodeSaved, but the event loop gets its turn between arrays. */
export const encodeInTurns = async (saved: Saving): Promise<Uint8Array> => {
  const pace = new Pace();
  const steps = encoding(saved.arrays, metadataOf(saved));
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await pace.rest();
  }
};

/** The inverse of encodeSaved. Throws ArtifactCorrupt on other bytes. */
export const decodeSaved = (bytes: Uint8Array): Saved => {
  const { arrays, metadata } = decodeSafetensors(bytes);
  if (metadata['json'] === undefined) throw corrupt('no saved state in its metadata');
  return { arrays, json: z.record(z.string(), z.unknown()).parse(JSON.parse(metadata['json'])) };
};
