import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import type { PromptArchitecture } from '../../../../../pipelines/generators/promptehr/network/architecture.ts';
import {
  packSequences,
  type SpanBatch,
} from '../../../../../pipelines/generators/promptehr/network/sequences.ts';
import { deviceArrays } from '../../../../../pipelines/nn/ops/open-ops.ts';
import { distance, openSmall, small, smallBatch, withoutPrompts } from '../small.ts';

test.before(async () => {
  await startBackend();
});

const spans = [
  [6, 12, 15],
  [8, 16, 17],
  [10, 18, 19],
  [8, 17, 16],
  [6, 13, 12],
];
const batchOf = (batch: SpanBatch): SpanBatch => ({
  ...batch,
  spans: packSequences(spans),
  targets: new Int32Array(15).fill(-1),
});
const column = (position: number, of: number[]): Int32Array =>
  Int32Array.from(of, (span) => (spans[span] as number[])[position] as number);

const variants: Record<string, PromptArchitecture> = {
  'tied heads, prompts': small,
  'biased heads, a row for two features': { ...small, biased: true, pooled: 2 },
  'own heads, no prompts': { ...small, tied: false, numeric: 0, categories: [] },
};

for (const [name, architecture] of Object.entries(variants)) {
  const batch = batchOf(architecture.numeric > 0 ? smallBatch : withoutPrompts(smallBatch));

  test.serial(`written token by token, logits are those of whole spans (${name})`, async (t) => {
    const before = deviceArrays();
    const network = await openSmall(architecture);
    const held = network.ops.held;
    const expected = await network.logits(batch);
    const encoded = await network.encode(batch.contexts, batch);
    t.is(encoded.contexts, 3);
    const decoder = network.decode(encoded, batch.sources, batch.heads);
    const check = (logits: Float32Array[], position: number, live: number[]) => {
      t.is(decoder.live, live.length);
      t.is(logits.length, live.length);
      for (const [i, span] of live.entries())
        t.true(distance(logits[i] ?? [], expected[span * 3 + position] ?? []) < 1e-5, `${position} ${span}`);
    };
    let live = [0, 1, 2, 3, 4];
    check(await decoder.step(column(0, live)), 0, live);
    // Reordered, one dropped, one twice; the contexts that are read stay two.
    decoder.select(Int32Array.of(4, 2, 3, 2));
    live = [4, 2, 3, 2];
    check(await decoder.step(column(1, live)), 1, live);
    // Only readers of the second context are left: only its encoding is kept.
    decoder.select(Int32Array.of(1, 0));
    live = [2, 4];
    check(await decoder.step(column(2, live)), 2, live);
    decoder.select(Int32Array.of(0, 1));
    t.is(decoder.live, 2);
    decoder.select(new Int32Array(0));
    t.is(decoder.live, 0);
    t.deepEqual(await decoder.step(new Int32Array(0)), []);
    decoder.dispose();
    // The encoded contexts serve another decoder.
    const again = network.decode(encoded, Int32Array.of(1), Int32Array.of(2));
    const [first] = await again.step(Int32Array.of(10));
    t.true(distance(first ?? [], expected[6] ?? []) < 1e-5);
    again.dispose();
    again.dispose();
    encoded.dispose();
    t.is(network.ops.held, held);
    network.dispose();
    t.is(deviceArrays(), before);
  });
}

test.serial('copies of a span go their own ways', async (t) => {
  const network = await openSmall(small);
  const batch = batchOf(smallBatch);
  const expected = await network.logits({
    ...batch,
    spans: packSequences([
      [6, 12, 15],
      [8, 17],
      [8, 16],
      [8, 16],
      [6, 13, 12],
    ]),
    heads: Int32Array.of(0, 1, 1, 1, 0),
    targets: new Int32Array(12).fill(-1),
  });
  const encoded = await network.encode(batch.contexts, batch);
  const decoder = network.decode(encoded, Int32Array.of(1), Int32Array.of(1));
  await decoder.step(Int32Array.of(8));
  decoder.select(Int32Array.of(0, 0));
  const [left, right] = await decoder.step(Int32Array.of(17, 16));
  t.true(distance(left ?? [], expected[4] ?? []) < 1e-5);
  t.true(distance(right ?? [], expected[6] ?? []) < 1e-5);
  t.true(distance(left ?? [], right ?? []) > 1e-3);
  decoder.dispose();
  encoded.dispose();
  network.dispose();
});

test.serial('a decoder refuses what does not fit', async (t) => {
  const network = await openSmall({ ...small, positions: 12 });
  const encoded = await network.encode(packSequences([[1, 2]]), {
    numeric: new Float32Array(2),
    categories: new Int32Array(3),
  });
  const one = Int32Array.of(0);
  t.throws(() => network.decode(encoded, Int32Array.of(1), one), { message: /context 1, of 1/ });
  t.throws(() => network.decode(encoded, one, Int32Array.of(3)), { message: /head 3, of 3/ });
  const decoder = network.decode(encoded, one, one);
  t.throws(() => decoder.select(Int32Array.of(1)), { message: /span 1 selected, of 1/ });
  await t.throwsAsync(async () => decoder.step(Int32Array.of(6, 6)), { message: /2 tokens given for 1/ });
  for (let i = 0; i < 7; i++) await decoder.step(Int32Array.of(6));
  await t.throwsAsync(async () => decoder.step(Int32Array.of(6)), { message: /12 rows/ });
  decoder.dispose();
  encoded.dispose();
  network.dispose();
});
