import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import type { PromptArchitecture } from '../../../../../pipelines/generators/promptehr/network/architecture.ts';
import type { PromptNetwork } from '../../../../../pipelines/generators/promptehr/network/network.ts';
import { packSequences } from '../../../../../pipelines/generators/promptehr/network/sequences.ts';
import { RandomSource } from '../../../../../pipelines/kernel/random.ts';
import { deviceArrays } from '../../../../../pipelines/nn/ops/open-ops.ts';
import { distance, openSmall, small, smallBatch, withoutPrompts } from '../small.ts';

test.before(async () => {
  await startBackend();
});

const batchFor = (architecture: PromptArchitecture) => {
  const batch = architecture.numeric > 0 ? smallBatch : withoutPrompts(smallBatch);
  const floors = Int32Array.of(1, 2, 4, 1, 1, 1, 3, 4, 1, 2, 2, 1, 1);
  return architecture.biased ? { ...batch, floors } : batch;
};
const variants: Record<string, PromptArchitecture> = {
  'tied heads, prompts': small,
  'two features in one prompt row, biased heads, ascending codes': { ...small, pooled: 2, biased: true },
  'own heads, no prompts': {
    ...small,
    tied: false,
    numeric: 0,
    categories: [],
    attentionHeads: 2,
    decoderLayers: 1,
  },
};
const dropout = { rate: 0.25, source: new RandomSource(3, 'order'), step: 5 };

/** Gradients of one step by name. */
const gradientsOf = async (network: PromptNetwork, options = {}, batch = batchFor(network.architecture)) => {
  const gradients = new Map<string, Float32Array>();
  const loss = await network.learn(batch, options, ({ name }, gradient) => {
    gradients.set(name, network.ops.download(gradient));
  });
  return { loss, gradients };
};

/** A direction of length one, drawn for a part. */
const directionOf = (length: number, part: number): Float64Array => {
  const draws = new Float64Array(length);
  new RandomSource(11, 'order').fill(draws, 0, length, part);
  const centered = draws.map((draw) => draw - 0.5);
  const size = Math.sqrt(centered.reduce((sum, x) => sum + x * x, 0));
  return centered.map((x) => x / size);
};

for (const [name, architecture] of Object.entries(variants))
  test.serial(`finite differences agree with every part's gradient (${name})`, async (t) => {
    const batch = batchFor(architecture);
    const network = await openSmall(architecture);
    const { gradients } = await gradientsOf(network, { dropout });
    t.is(gradients.size, network.weights.length);
    const reach = 0.02;
    for (const [index, { name: part }] of network.weights.entries()) {
      const gradient = gradients.get(part) ?? new Float32Array(0);
      const direction = directionOf(gradient.length, index);
      const losses: number[] = [];
      for (const sign of [-1, 1]) {
        const moved = await openSmall(architecture, (own, values) =>
          own.name === part
            ? values.map((value, i) => value + sign * reach * (direction[i] as number))
            : values,
        );
        losses.push(await moved.learn(batch, { dropout }, () => {}));
        moved.dispose();
      }
      const [below, above] = losses as [number, number];
      const expected = gradient.reduce((sum, value, i) => sum + value * (direction[i] as number), 0);
      const found = (above - below) / (2 * reach);
      const size = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0));
      t.true(Math.abs(found - expected) < 5e-3 * size + 1e-4, `${part}: ${found}, expected ${expected}`);
    }
    network.dispose();
  });

test.serial(
  'an output below its floor has no part in the probabilities, and what heads add has',
  async (t) => {
    const architecture = { ...small, biased: true };
    const network = await openSmall(architecture);
    const [free, floored] = [await network.logits(smallBatch), await network.logits(batchFor(architecture))];
    const logs = await network.logProbabilities(batchFor(architecture));
    const allowed = [...(floored[2] ?? [])].map((logit) => logit > -1e8);
    t.deepEqual(allowed, [true, false, false, false, true]);
    const chances = [...(free[2] ?? [])].map((logit, i) => (allowed[i] ? Math.exp(logit) : 0));
    const expected = Math.log((chances[0] as number) / chances.reduce((a, b) => a + b, 0));
    t.true(Math.abs((logs[2] as number) - expected) < 1e-5);
    const plain = await openSmall(small);
    const bias = network.ops.download(network.variable('lm_head.dx.bias'));
    const added = (free[0] ?? new Float32Array(0)).map((logit, i) => logit - (bias[i] as number));
    t.true(distance(added, (await plain.logits(smallBatch))[0] ?? []) < 1e-5);
    for (const one of [network, plain]) one.dispose();
  },
);

test.serial('unknown facts leave a row of zeros and learn nothing', async (t) => {
  const unknown = {
    ...smallBatch,
    numeric: new Float32Array(6).fill(Number.NaN),
    categories: new Int32Array(9).fill(-1),
  };
  const isPrompt = (name: string) => name.includes('conditional_prompt');
  const network = await openSmall(small);
  const silent = await openSmall(small, ({ name }, values) => (isPrompt(name) ? values.fill(0) : values));
  const logs = await network.logProbabilities(unknown);
  t.true(distance(logs, await silent.logProbabilities(unknown)) < 1e-6);
  t.true(distance(logs, await network.logProbabilities(smallBatch)) > 1e-2);
  const { gradients } = await gradientsOf(network, {}, unknown);
  for (const [name, gradient] of gradients)
    t.is(isPrompt(name) && gradient.some((value) => value !== 0), false, name);
  // A level that no patient has, and the numerical feature of one patient only.
  const table = (await gradientsOf(network)).gradients.get(
    'model.encoder_conditional_prompt.cat_tokenizer.embeddings.weight',
  );
  const moved = Array.from({ length: 9 }, (_, row) =>
    table?.subarray(row * 5, row * 5 + 5).some((value) => value !== 0),
  );
  t.deepEqual(moved, [true, true, false, false, false, true, false, false, true]);
  for (const one of [network, silent]) one.dispose();
});

test.serial('what a span gets does not depend on what else is in the batch', async (t) => {
  const network = await openSmall(small);
  const together = await network.logProbabilities(smallBatch);
  const alone = await network.logProbabilities({
    contexts: packSequences([[1, 4, 8, 16, 9, 10, 18, 20, 11, 5, 2]]),
    spans: packSequences([[10, 18, 19, 20]]),
    sources: Int32Array.of(0),
    heads: Int32Array.of(2),
    targets: Int32Array.of(1, -1, 3, 0),
    numeric: smallBatch.numeric.slice(2, 4),
    categories: smallBatch.categories.slice(3, 6),
  });
  t.true(distance(alone, together.slice(4, 8)) < 1e-5);
  t.is(alone[1], 0);
  t.true((alone[0] as number) < 0);
  const { sum, cells } = await network.loss(smallBatch);
  t.is(cells, 11);
  t.true(Math.abs(sum + together.reduce((a, b) => a + b, 0)) < 1e-4);
  network.dispose();
});

test.serial('clipping scales all gradients to the norm asked for, and not up', async (t) => {
  const before = deviceArrays();
  const network = await openSmall(small);
  const held = network.ops.held;
  const free = await gradientsOf(network);
  const norm = Math.sqrt(
    [...free.gradients.values()].reduce((sum, gradient) => sum + gradient.reduce((s, g) => s + g * g, 0), 0),
  );
  const clipped = await gradientsOf(network, { clip: norm / 3 });
  t.is(clipped.loss, free.loss);
  t.deepEqual([...clipped.gradients.keys()], [...free.gradients.keys()]);
  for (const [name, gradient] of free.gradients)
    t.true(
      distance(
        clipped.gradients.get(name) ?? [],
        gradient.map((g) => g / 3),
      ) < 1e-6,
      name,
    );
  const loose = await gradientsOf(network, { clip: norm * 3 });
  for (const [name, gradient] of free.gradients) t.deepEqual(loose.gradients.get(name), gradient, name);
  t.is(network.ops.held, held);
  network.dispose();
  t.is(deviceArrays(), before);
});

test.serial('dropout follows seed and step, and rate zero is none', async (t) => {
  const network = await openSmall(small);
  const lossAt = async (options: object) => (await gradientsOf(network, options)).loss;
  const plain = await lossAt({});
  t.is(await lossAt({ dropout: { ...dropout, rate: 0 } }), plain);
  const dropped = await lossAt({ dropout });
  t.not(dropped, plain);
  t.is(await lossAt({ dropout }), dropped);
  t.not(await lossAt({ dropout: { ...dropout, step: 6 } }), dropped);
  t.not(await lossAt({ dropout: { ...dropout, source: new RandomSource(4, 'order') } }), dropped);
  network.dispose();
});

test.serial('products in bfloat16 move gradients by at most 4 %, always by the same', async (t) => {
  const network = await openSmall(small);
  t.true(network.ops.rounded !== undefined);
  const exact = await gradientsOf(network, { dropout });
  const found = await gradientsOf(network, { dropout, rounded: true });
  t.true(Math.abs(found.loss / exact.loss - 1) < 5e-3, `${found.loss}, ${exact.loss} in float32`);
  t.not(found.loss, exact.loss);
  const square = (values: Float32Array) => values.reduce((sum, x) => sum + x * x, 0);
  let [off, all] = [0, 0];
  for (const [name, gradient] of exact.gradients) {
    const moved = square(gradient.map((g, i) => g - (found.gradients.get(name)?.[i] ?? Number.NaN)));
    t.true(moved < 0.1 ** 2 * square(gradient), name);
    [off, all] = [off + moved, all + square(gradient)];
  }
  t.true(off < 0.04 ** 2 * all, `${Math.sqrt(off / all)}`);
  const again = await gradientsOf(network, { dropout, rounded: true });
  for (const [name, gradient] of found.gradients) t.deepEqual(again.gradients.get(name), gradient, name);
  network.dispose();
});

test.serial('a head that no span uses is not updated', async (t) => {
  const network = await openSmall({ ...small, tied: false });
  const heads = Int32Array.of(0, 1, 1, 1, 0);
  const targets = smallBatch.targets.map((target) => Math.min(target, 2));
  const { gradients } = await gradientsOf(network, {}, { ...smallBatch, heads, targets });
  const untouched = network.weights.filter(({ name }) => !gradients.has(name)).map(({ name }) => name);
  t.deepEqual(untouched, ['lm_head.rx.weight']);
  network.dispose();
});

test.serial('batches that do not fit the model are refused', async (t) => {
  const network = await openSmall(small);
  const held = network.ops.held;
  const refuse = async (change: object, message: RegExp) =>
    t.throwsAsync(() => network.learn({ ...smallBatch, ...change }, {}, () => {}), { message });
  await refuse({ targets: new Int32Array(13).fill(-1) }, /without a target/);
  await refuse({ sources: Int32Array.of(0, 1, 3, 0, 1) }, /reads context 3, of 3/);
  await refuse({ heads: Int32Array.of(0, 3, 2, 1, 0) }, /head 3, of 3/);
  await refuse({ targets: smallBatch.targets.map(() => 4) }, /target 4 for head 1/);
  await refuse({ categories: smallBatch.categories.map(() => 2) }, /feature 0 has 2 levels; level 2/);
  await refuse({ numeric: new Float32Array(5) }, /5 numbers/);
  const long = packSequences([new Array(20).fill(3), [1], [1]]);
  await refuse({ contexts: long }, /encoder sequence 0 has 20 tokens; between 0 and 19/);
  t.is(network.ops.held, held);
  network.dispose();
});
