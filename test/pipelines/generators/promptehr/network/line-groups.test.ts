import test from 'ava';
import { lineGroups, paddedLength } from '../../../../../pipelines/generators/promptehr/network/side-rows.ts';

test('lines are padded to few different lengths, by less than a grid cell of 16', (t) => {
  t.deepEqual([0, 1, 8, 9, 64, 65, 80, 81].map(paddedLength), [8, 8, 8, 16, 64, 80, 80, 96]);
});

test('every line is in one group, and long lines do not stretch short ones where that costs most', (t) => {
  const encoder = Int32Array.from({ length: 18 }, (_, i) => (i % 3 === 0 ? 250 : 10 + i));
  const decoder = Int32Array.from({ length: 18 }, (_, i) => 20 + (i % 4));
  const groups = lineGroups(encoder, decoder, 768);
  t.deepEqual(
    groups.flat().toSorted((a, b) => a - b),
    [...encoder.keys()],
  );
  t.deepEqual(
    groups.map((group) => group.length),
    [12, 6],
  );
  t.true((groups[1] ?? []).every((line) => encoder[line] === 250));
  // What another grid costs outweighs some padding.
  t.is(lineGroups(new Int32Array(16).fill(60).fill(50, 3, 9), decoder.slice(0, 16), 128).length, 1);
  t.deepEqual(lineGroups(new Int32Array(0), new Int32Array(0), 128), []);
});
