import * as tf from '@tensorflow/tfjs';
import { startBackend } from '../infra/backend.ts';
import { type KeySets, keySize, type SharedKeys } from '../pipelines/privacy/key-sets.ts';

/** The part of WebAssembly that is used here; its types come with the browser's, which are not loaded. */
declare const WebAssembly: {
  Memory: new (size: { initial: number }) => { buffer: ArrayBuffer };
  instantiate(code: Uint8Array, imports: object): Promise<{ instance: { exports: Record<string, unknown> } }>;
};

/** Nearest distances of the first `queries` of set 0 in set 1, by another method than the inverted index. */
export type Alternative = (shared: SharedKeys, queries: number) => Promise<Int32Array> | Int32Array;

/** One row of bits per patient, in 64-bit words. */
function bitRows(set: KeySets, count: number, words: number, into: Uint32Array): void {
  for (let p = 0; p < count; p++)
    for (let at = set.offsets[p] as number; at < (set.offsets[p + 1] as number); at++) {
      const key = set.keys[at] as number;
      const word = p * words * 2 + (key >>> 5);
      into[word] = (into[word] as number) | (1 << (key & 31));
    }
}

/**
 * A WebAssembly module of one function, `shared(a, b, bytes) → i32`: the bits that two rows of 64-bit words have in
 * common. Written out here because no compiler is at hand: while bytes: bytes −= 8; n += popcnt(a[bytes] & b[bytes]).
 */
const popcountModule = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  // Type 0: (i32, i32, i32) → i32. Import env.memory. Function 0 has type 0. Export it as "shared".
  ...[1, 8, 1, 0x60, 3, 0x7f, 0x7f, 0x7f, 1, 0x7f],
  ...[2, 15, 1, 3, 0x65, 0x6e, 0x76, 6, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 2, 0, 1],
  ...[3, 2, 1, 0],
  ...[7, 10, 1, 6, 0x73, 0x68, 0x61, 0x72, 0x65, 0x64, 0, 0],
  // One local i64 (index 3). loop { bytes −= 8; n += popcnt(load(a + bytes) & load(b + bytes)); if (bytes) again }
  ...[10, 46, 1, 44, 1, 1, 0x7e, 0x03, 0x40],
  ...[0x20, 2, 0x41, 8, 0x6b, 0x21, 2],
  ...[
    0x20, 3, 0x20, 0, 0x20, 2, 0x6a, 0x29, 3, 0, 0x20, 1, 0x20, 2, 0x6a, 0x29, 3, 0, 0x83, 0x7b, 0x7c, 0x21,
    3,
  ],
  ...[0x20, 2, 0x0d, 0, 0x0b, 0x20, 3, 0xa7, 0x0b],
]);

/** Every pair by AND and population count over packed bits: cost follows the vocabulary, not the patients. */
export const byPopcount: Alternative = async ({ sets, keyCount }, queries) => {
  const [query, reference] = sets as [KeySets, KeySets];
  const words = Math.max(1, Math.ceil(keyCount / 64));
  const rows = queries + reference.count;
  const memory = new WebAssembly.Memory({ initial: Math.ceil((rows * words * 8) / 65536) + 1 });
  const bits = new Uint32Array(memory.buffer);
  bitRows(query, queries, words, bits);
  bitRows(reference, reference.count, words, bits.subarray(queries * words * 2));
  const { instance } = await WebAssembly.instantiate(popcountModule, { env: { memory } });
  const shared = instance.exports['shared'] as (a: number, b: number, bytes: number) => number;
  return Int32Array.from({ length: queries }, (_, q) => {
    let best = 2 ** 30;
    for (let r = 0; r < reference.count; r++) {
      const both = shared(q * words * 8, (queries + r) * words * 8, words * 8);
      const distance = keySize(query, q) + keySize(reference, r) - 2 * both;
      best = Math.min(best, distance + (query.visits[q] === reference.visits[r] ? 0 : 1));
    }
    return best;
  });
};

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
