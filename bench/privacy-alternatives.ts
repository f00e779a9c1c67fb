import * as tf from '@tensorflow/tfjs';
import { startBackend } from '../infra/backend.ts';
import { type KeySets, keySize, type SharedKeys } from '../pipelines/metrics/statistics/key-sets.ts';

/** The part of WebAssembly that is used here; its types come with the browser's, which are not loaded. */
declare const WebAssembly: {
  Memory: new (size: { initial: number }) => { buffer: ArrayBuffer };
  instantiate(code: Uint8Array, imports: object): Promise<{ instance: { exports: Record<string, unknown> } }>;
};

/** Nearest distances of the first `queries` of set 0 in set 1, by another method than the inverted index. */
export type Alternative = (shared: SharedKeys, queries: number) => Promise<Int32Array> | Int32Array;

/** One row of bits per patient, of so many bytes. */
function bitRows(set: KeySets, count: number, bytes: number, into: Uint32Array): void {
  for (let p = 0; p < count; p++)
    for (let at = set.offsets[p] as number; at < (set.offsets[p + 1] as number); at++) {
      const key = set.keys[at] as number;
      const word = (p * bytes) / 4 + (key >>> 5);
      into[word] = (into[word] as number) | (1 << (key & 31));
    }
}

const sized = (section: number, bytes: readonly number[]): number[] => [section, bytes.length, ...bytes];

/**
 * A WebAssembly module of one function, `shared(a, b, bytes) → i32`: the bits that two rows have in common. Written out
 * here because no compiler is at hand. `local` is the type of local 3; the body is without its `end`.
 */
const moduleOf = (local: number, body: readonly number[]): Uint8Array => {
  const code = [1, 1, local, ...body, 0x0b];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    // Type 0: (i32, i32, i32) → i32. Import env.memory. Function 0 has type 0. Export it as "shared".
    ...sized(1, [1, 0x60, 3, 0x7f, 0x7f, 0x7f, 1, 0x7f]),
    ...sized(2, [1, 3, 0x65, 0x6e, 0x76, 6, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 2, 0, 1]),
    ...sized(3, [1, 0]),
    ...sized(7, [1, 6, 0x73, 0x68, 0x61, 0x72, 0x65, 0x64, 0, 0]),
    ...sized(10, [1, code.length, ...code]),
  ]);
};

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const simd = (...code: number[]): number[] => [0xfd, ...code];

/** loop { bytes −= step; `counted`; if (bytes) again }. */
const loop = (step: number, counted: readonly number[]): number[] => [
  ...[0x03, 0x40, ...get(2), 0x41, step, 0x6b, ...set(2)],
  ...counted,
  ...[...get(2), 0x0d, 0, 0x0b],
];
const address = (row: number): number[] => [...get(row), ...get(2), 0x6a];

/** n += popcnt(a[bytes] & b[bytes]), 64 bits at a time. */
const words = moduleOf(0x7e, [
  ...loop(8, [
    ...get(3),
    ...[...address(0), 0x29, 3, 0, ...address(1), 0x29, 3, 0],
    ...[0x83, 0x7b, 0x7c, ...set(3)],
  ]),
  ...[...get(3), 0xa7],
]);

/** The same 128 bits at a time: i8x16.popcnt, whose bytes are added to eight sums of 16 bits, and these at the end. */
const vectors = moduleOf(0x7b, [
  ...loop(16, [
    ...get(3),
    ...[...address(0), ...simd(0, 4, 0), ...address(1), ...simd(0, 4, 0)],
    ...[...simd(0x4e), ...simd(0x62), ...simd(0x7d), ...simd(0x8e, 1), ...set(3)],
  ]),
  ...[...get(3), ...simd(0x7f), ...set(3)],
  ...[...get(3), ...simd(0x1b, 0), ...get(3), ...simd(0x1b, 1), 0x6a],
  ...[...get(3), ...simd(0x1b, 2), 0x6a, ...get(3), ...simd(0x1b, 3), 0x6a],
]);

/** Every pair by AND and population count over packed bits: cost follows the vocabulary, not the patients. */
const byBits =
  (module: Uint8Array): Alternative =>
  async ({ sets, keyCount }, queries) => {
    const [query, reference] = sets as [KeySets, KeySets];
    const bytes = 16 * Math.max(1, Math.ceil(keyCount / 128));
    const rows = queries + reference.count;
    const memory = new WebAssembly.Memory({ initial: Math.ceil((rows * bytes) / 65536) + 1 });
    const bits = new Uint32Array(memory.buffer);
    bitRows(query, queries, bytes, bits);
    bitRows(reference, reference.count, bytes, bits.subarray((queries * bytes) / 4));
    const { instance } = await WebAssembly.instantiate(module, { env: { memory } });
    const shared = instance.exports['shared'] as (a: number, b: number, bytes: number) => number;
    return Int32Array.from({ length: queries }, (_, q) => {
      let best = 2 ** 30;
      for (let r = 0; r < reference.count; r++) {
        const both = shared(q * bytes, (queries + r) * bytes, bytes);
        const distance = keySize(query, q) + keySize(reference, r) - 2 * both;
        best = Math.min(best, distance + (query.visits[q] === reference.visits[r] ? 0 : 1));
      }
      return best;
    });
  };

export const byPopcount = byBits(words);
export const byVectorPopcount = byBits(vectors);

const dense = (set: KeySets, first: number, count: number, keyCount: number): tf.Tensor2D => {
  const values = new Float32Array(count * keyCount);
  for (let p = 0; p < count; p++)
    for (let at = set.offsets[first + p] as number; at < (set.offsets[first + p + 1] as number); at++)
      values[p * keyCount + (set.keys[at] as number)] = 1;
  return tf.tensor2d(values, [count, keyCount]);
};

/** One dense matrix product of 0/1 rows, on native TensorFlow where it is there. */
export const byMatrixProduct: Alternative = async ({ sets, keyCount }, queries) => {
  await startBackend();
  const [query, reference] = sets as [KeySets, KeySets];
  const product = tf.tidy(() =>
    tf.matMul(
      dense(query, 0, queries, keyCount),
      dense(reference, 0, reference.count, keyCount),
      false,
      true,
    ),
  );
  const shared = await product.data();
  product.dispose();
  return Int32Array.from({ length: queries }, (_, q) => {
    let best = 2 ** 30;
    for (let r = 0; r < reference.count; r++) {
      const distance =
        keySize(query, q) + keySize(reference, r) - 2 * (shared[q * reference.count + r] as number);
      best = Math.min(best, distance + (query.visits[q] === reference.visits[r] ? 0 : 1));
    }
    return best;
  });
};
