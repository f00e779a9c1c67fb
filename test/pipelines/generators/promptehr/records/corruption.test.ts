import test from 'ava';
import {
  corruptedVisit,
  deleteTokens,
  infillTokens,
  maskTokens,
  poisson,
} from '../../../../../pipelines/generators/promptehr/records/corruption.ts';
import { marks, streamsOf } from '../../../../../pipelines/generators/promptehr/records/streams.ts';
import { RandomSource, UniformStream } from '../../../../../pipelines/kernel/random.ts';

/** A stream that says what the test wrote down. */
class Scripted extends UniformStream {
  readonly #uniforms: number[];
  constructor(...uniforms: number[]) {
    super(new RandomSource(0, 'corruption'), 0);
    this.#uniforms = uniforms;
  }
  override next(): number {
    const uniform = this.#uniforms.shift();
    if (uniform === undefined) throw new RangeError('more was drawn than the test foresaw');
    return uniform;
  }
  get left(): number {
    return this.#uniforms.length;
  }
}

const streamAt = (major: number) => new UniformStream(new RandomSource(3, 'corruption'), major);
const [no, yes] = [0.99, 0];
const codes = [20, 21, 22, 23, 24];
const { mask } = marks;

/** Cumulative probabilities of Poisson(3): 0.0498, 0.1991, 0.4232, 0.6472, … */
const lengthOf: Record<number, number> = { 0: 0.03, 1: 0.1, 2: 0.3, 3: 0.6, 4: 0.7 };
const run = (length: number): [number, number] => [yes, lengthOf[length] as number];

test('a masked token is a mask where it stood', (t) => {
  t.deepEqual(maskTokens(codes, 0.15, new Scripted(no, yes, 0.149, 0.15, no)), [20, mask, mask, 23, 24]);
});

test('an infilled run is one mask, whatever its length', (t) => {
  t.deepEqual(infillTokens(codes, 0.3, new Scripted(no, ...run(3), no)), [20, mask, 24]);
  t.deepEqual(infillTokens(codes, 0.3, new Scripted(...run(1), ...run(2), no, no)), [mask, mask, 23, 24]);
  t.deepEqual(
    infillTokens(codes, 0.3, new Scripted(no, ...run(0), no, no, no)),
    [20, mask, 21, 22, 23, 24],
    'a run of none is a mask where nothing is missing',
  );
  t.deepEqual(infillTokens(codes, 0.3, new Scripted(no, no, no, ...run(4))), [20, 21, 22, mask]);
  t.deepEqual(infillTokens([], 0.3, new Scripted()), []);
});

test('a deleted run leaves no trace', (t) => {
  t.deepEqual(deleteTokens(codes, 0.3, new Scripted(no, ...run(2), no, no)), [20, 23, 24]);
  t.deepEqual(deleteTokens(codes, 0.3, new Scripted(...run(0), no, no, no, no)), codes);
  t.deepEqual(deleteTokens(codes, 0, new Scripted()), codes);
});

test('run lengths are those of Poisson(3)', (t) => {
  const random = new RandomSource(8, 'corruption');
  const uniforms = new Float64Array(40_000);
  random.fill(uniforms, 0, 40_000, 0);
  const counts = new Float64Array(30);
  for (const u of uniforms) counts[poisson(3, u)] = (counts[poisson(3, u)] as number) + 1;
  let probability = Math.exp(-3);
  let chiSquare = 0;
  for (let k = 0; k < 10; k++) {
    const expected = probability * 40_000;
    chiSquare += ((counts[k] as number) - expected) ** 2 / expected;
    probability *= 3 / (k + 1);
  }
  t.true(chiSquare < 29.6, `χ² of ten cells: ${chiSquare}; one in a thousand is above 29.6`);
  t.is(poisson(3, 1 - 2 ** -53) < 40, true);
});

test('each of the three hits the share of tokens it is told to', (t) => {
  const long = Array.from({ length: 100_000 }, (_, i) => 100 + i);
  for (const rate of [0.1, 0.15, 0.5]) {
    const masked = maskTokens(long, rate, streamAt(1)).filter((token) => token === mask).length;
    t.true(Math.abs(masked / long.length - rate) < 0.01);
    for (const corrupt of [infillTokens, deleteTokens]) {
      const kept = corrupt(long, rate, streamAt(2)).filter((token) => token !== mask);
      t.true(Math.abs(1 - kept.length / long.length - rate) < 0.01, `${corrupt.name} at ${rate}`);
      t.deepEqual(
        kept,
        kept.toSorted((a, b) => a - b),
        'what is kept keeps its order',
      );
    }
  }
  const infilled = infillTokens(long, 0.15, streamAt(3));
  const masks = infilled.filter((token) => token === mask).length;
  const missing = long.length - (infilled.length - masks);
  t.true(Math.abs(missing / masks - 3) < 0.1, `${missing / masks} tokens behind a mask`);
});

const layout = streamsOf({
  codes: (['dx', 'px', 'rx', 'dx', 'dx', 'rx'] as const).map((modality, i) => ({ modality, code: `${i}` })),
});
const still = { tokens: [], rate: 0.3, shuffle: false, permute: false };
const visit = [[0, 3, 4], [], [2, 5]];

test('a visit keeps its brackets, whatever happens inside', (t) => {
  // `<v> <dx> 12 15 16 </dx> <px> </px> <rx> 14 17 </rx> </v>`; with nothing to apply, one uniform per span is idle.
  const whole = [4, 6, 12, 15, 16, 7, 8, 9, 10, 14, 17, 11, 5];
  t.deepEqual(corruptedVisit(layout, visit, still, new Scripted(0, 0, 0)), whole);
  const [deleting, infilling, masking] = [0.9, 0.5, 0.1];
  t.deepEqual(
    corruptedVisit(
      layout,
      visit,
      { ...still, tokens: ['mask', 'infill', 'delete'] },
      new Scripted(infilling, no, ...run(2), masking, deleting, ...run(1), no),
    ),
    [4, 6, 12, mask, 7, 8, 9, 10, 17, 11, 5],
  );
  t.deepEqual(corruptedVisit(layout, [[0], undefined, undefined], still, new Scripted(0)), [4, 6, 12, 7, 5]);
});

test('shuffling moves codes inside their span, permuting moves whole spans', (t) => {
  const stream = new Scripted(0.5, 0, 0, 0, 0.9, 0);
  t.deepEqual(
    corruptedVisit(layout, visit, { ...still, shuffle: true }, stream),
    [4, 6, 16, 12, 15, 7, 8, 9, 10, 14, 17, 11, 5],
  );
  t.is(stream.left, 0);
  t.deepEqual(
    corruptedVisit(layout, visit, { ...still, permute: true }, new Scripted(0, 0.9, 0, 0, 0)),
    [4, 10, 14, 17, 11, 8, 9, 6, 12, 15, 16, 7, 5],
  );
});

test('every order of codes and of spans is equally likely', (t) => {
  const seen = new Map<string, number>();
  for (let i = 0; i < 6000; i++) {
    const stream = corruptedVisit(layout, visit, { ...still, shuffle: true, permute: true }, streamAt(i));
    const brackets = stream.filter((token) => [6, 8, 10].includes(token)).join();
    const dx = stream.slice(stream.indexOf(6) + 1, stream.indexOf(7)).join();
    for (const key of [brackets, dx]) seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  t.is(seen.size, 12);
  for (const [key, count] of seen) t.true(Math.abs(count - 1000) < 130, `${key}: ${count}`);
});
