import { readFile } from 'node:fs/promises';
import test from 'ava';
import type { Saved } from '../../../pipelines/kernel/checkpointable.ts';
import {
  decodeSafetensors,
  decodeSaved,
  encodeInTurns,
  encodeSafetensors,
  encodeSaved,
} from '../../../pipelines/kernel/safetensors.ts';

const saved: Saved = {
  arrays: {
    weights: { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    flags: { shape: [3], data: Uint8Array.of(1, 0, 1) },
    counter: { shape: [], data: BigInt64Array.of(-5n) },
    sums: { shape: [1], data: Float64Array.of(Math.PI) },
    order: { shape: [0], data: new Int32Array(0) },
  },
  json: { step: 7, curve: [{ loss: 0.1 }], best: null, text: 'é' },
};

const shifted = (bytes: Uint8Array): Uint8Array => {
  const room = new Uint8Array(bytes.length + 1);
  room.set(bytes, 1);
  return room.subarray(1);
};

test('a saved state survives the round trip, aligned or not', (t) => {
  const bytes = encodeSaved(saved);
  t.deepEqual(decodeSaved(bytes), saved);
  t.deepEqual(decodeSaved(shifted(bytes)), saved);
});

test('equal states give equal bytes, whatever the order of their keys', (t) => {
  const reversed = Object.fromEntries(Object.entries(saved.arrays).reverse());
  t.deepEqual(encodeSaved({ ...saved, arrays: reversed }), encodeSaved(saved));
});

test('reads what PyTorch wrote', async (t) => {
  const file = new URL('../../fixtures/golden/halo_tiny_weights.safetensors', import.meta.url);
  const { arrays } = decodeSafetensors(await readFile(file));
  t.deepEqual(arrays['ehr_head.auto1.weight']?.shape, [72, 72]);
  t.is(Object.keys(arrays).length, 32);
});

test('damaged files are named corrupt, with what is wrong', (t) => {
  const bytes = encodeSafetensors(saved.arrays);
  const broken = (header: string): Uint8Array => {
    const text = new TextEncoder().encode(header);
    const file = new Uint8Array(8 + text.length);
    file[0] = text.length;
    file.set(text, 8);
    return file;
  };
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(3), /3 bytes/],
    [bytes.subarray(0, 40), /header of/],
    [bytes.subarray(0, bytes.length - 2), /truncated/],
    [new Uint8Array([...bytes, 0]), /1 bytes after/],
    [broken('[1]'), /not a JSON object/],
    [broken('{"a":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}'), /tensor a/],
    [broken('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}'), /expected 0–8/],
  ];
  for (const [file, message] of cases)
    t.throws(() => decodeSafetensors(file), { name: 'ArtifactCorrupt', message });
  t.throws(() => decodeSaved(bytes), { name: 'ArtifactCorrupt', message: /no saved state/ });
});

test('a shape that does not fit its data is refused before anything is written', (t) => {
  t.throws(() => encodeSafetensors({ a: { shape: [3], data: new Float32Array(2) } }), {
    instanceOf: RangeError,
  });
});

/** A file of one tensor of a kind that we do not write. */
const foreign = (dtype: string, shape: number[], data: Uint8Array): Uint8Array => {
  const header = { t: { dtype, shape, data_offsets: [0, data.length] } };
  const text = new TextEncoder().encode(JSON.stringify(header));
  return Uint8Array.from([text.length, 0, 0, 0, 0, 0, 0, 0, ...text, ...data]);
};

test('reads what PyTorch writes in half precision, and truth values', (t) => {
  const halves = Uint16Array.of(0x3c00, 0xc000, 0x3555, 0x0001, 0x8000, 0x7bff, 0x7c00);
  const { arrays } = decodeSafetensors(foreign('F16', [7], new Uint8Array(halves.buffer)));
  t.deepEqual(arrays['t'], {
    shape: [7],
    data: Float32Array.of(1, -2, 1365 / 4096, 2 ** -24, -0, 65504, Number.POSITIVE_INFINITY),
  });
  const upper = Uint16Array.of(0x3f80, 0xc040, 0x7f7f);
  const wide = decodeSafetensors(foreign('BF16', [3], new Uint8Array(upper.buffer))).arrays['t'];
  t.deepEqual(wide?.data, Float32Array.of(1, -3, 2 ** 127 * (1 + 127 / 128)));
  const flags = decodeSafetensors(foreign('BOOL', [2, 2], Uint8Array.of(1, 0, 0, 1))).arrays['t'];
  t.deepEqual(flags, { shape: [2, 2], data: Uint8Array.of(1, 0, 0, 1) });
  t.throws(() => decodeSafetensors(foreign('F8_E4M3', [1], Uint8Array.of(0))), { message: /dtype/ });
});

test('an array that is made when it is written gives the same bytes, in turns or at once', async (t) => {
  const data = Float32Array.of(1, -2, 0.5);
  const json = { step: 7 };
  const made: Float32Array[] = [];
  const read = () => {
    const own = data.slice();
    made.push(own);
    return own;
  };
  const whole = { arrays: { b: { shape: [3], data }, a: { shape: [1], data: Uint8Array.of(9) } }, json };
  const pending = { arrays: { a: { shape: [1], data: Uint8Array.of(9) }, b: { shape: [3], read } }, json };
  const expected = encodeSaved(whole);
  t.deepEqual(encodeSaved(pending), expected);
  t.deepEqual(await encodeInTurns(pending), expected);
  t.deepEqual(decodeSaved(expected).arrays['b']?.data, data);
  t.deepEqual(
    made.map(({ length }) => length),
    [0, 0],
    'their memory is given back at once',
  );
});
