import test from 'ava';
import { philox, RandomSource } from '../../../pipelines/kernel/random.ts';

const words = (text: string): Uint32Array =>
  Uint32Array.from(text.split(' '), (word) => Number.parseInt(word, 16));

test('philox4x32-10 gives the known answers of Random123', (t) => {
  const cases: [counter: string, key: [number, number], answer: string][] = [
    ['0 0 0 0', [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    ['ffffffff ffffffff ffffffff ffffffff', [0xffffffff, 0xffffffff], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    ['243f6a88 85a308d3 13198a2e 03707344', [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ];
  for (const [counter, [a, b], answer] of cases) {
    const block = words(counter);
    philox(block, a, b);
    t.deepEqual(block, words(answer));
  }
});

const draw = (source: RandomSource, from: number, to: number, major: number, minor = 0): Float64Array => {
  const out = new Float64Array(to - from);
  source.fill(out, from, to, major, minor);
  return out;
};

test('a draw depends on its address only, not on how many are asked for', (t) => {
  const source = new RandomSource(7, 'patients');
  const all = draw(source, 0, 100, 5, 3);
  t.deepEqual(draw(source, 0, 7, 5, 3), all.slice(0, 7));
  t.deepEqual(draw(source, 33, 60, 5, 3), all.slice(33, 60));
  t.deepEqual(draw(source, 32, 61, 5, 3), all.slice(32, 61));
});

test('seed, purpose and both counters each change the draws', (t) => {
  const seen = [
    draw(new RandomSource(7, 'patients'), 0, 4, 5, 3),
    draw(new RandomSource(8, 'patients'), 0, 4, 5, 3),
    draw(new RandomSource(7 + 2 ** 40, 'patients'), 0, 4, 5, 3),
    draw(new RandomSource(7, 'order'), 0, 4, 5, 3),
    draw(new RandomSource(7, 'patients'), 0, 4, 6, 3),
    draw(new RandomSource(7, 'patients'), 0, 4, 5, 4),
  ].map((values) => values.join());
  t.is(new Set(seen).size, seen.length);
});

test('uniforms fill [0, 1) evenly and to 53 bits', (t) => {
  const draws = draw(new RandomSource(1, 'weights'), 0, 100_000, 0);
  t.true(draws.every((u) => u >= 0 && u < 1));
  const mean = draws.reduce((sum, u) => sum + u, 0) / draws.length;
  t.true(Math.abs(mean - 0.5) < 4 * Math.sqrt(1 / 12 / draws.length));
  t.true(draws.some((u) => (u * 2 ** 53) % 2 === 1));
});

test('a permutation holds each index once, and the next one differs', (t) => {
  const source = new RandomSource(3, 'order');
  const first = source.permutation(50, 0);
  t.deepEqual(
    [...first].sort((a, b) => a - b),
    [...Array(50).keys()],
  );
  t.deepEqual(source.permutation(50, 0), first);
  t.notDeepEqual(source.permutation(50, 1), first);
  t.deepEqual(source.permutation(0, 0), new Int32Array(0));
});
