import { readFile } from 'node:fs/promises';
import type { TestFn } from 'ava';
import { z } from 'zod';
import type { PromptArchitecture } from '../../../../../pipelines/generators/promptehr/network/architecture.ts';
import type { PromptNetwork } from '../../../../../pipelines/generators/promptehr/network/network.ts';
import { openNetwork } from '../../../../../pipelines/generators/promptehr/network/network.ts';
import {
  packSequences,
  type SpanBatch,
} from '../../../../../pipelines/generators/promptehr/network/sequences.ts';
import {
  toReference,
  type Weight,
} from '../../../../../pipelines/generators/promptehr/network/weight-layout.ts';
import type { NamedArray } from '../../../../../pipelines/kernel/checkpointable.ts';
import { decodeSafetensors } from '../../../../../pipelines/kernel/safetensors.ts';
import { deviceArrays, openOps } from '../../../../../pipelines/nn/ops/open-ops.ts';

const folder = new URL('../../../../fixtures/golden/', import.meta.url);

const tensors = async (name: string): Promise<Record<string, NamedArray>> =>
  decodeSafetensors(await readFile(new URL(`promptehr_tiny_${name}.safetensors`, folder))).arrays;

const goldenSchema = z.object({
  cases: z.array(
    z.object({
      name: z.string(),
      loss: z.number(),
      perplexity: z.number().nullable(),
      aux_exp_mean_nll: z.number().optional(),
    }),
  ),
});

/** The reference's tiny model, its vocabulary with the tokenizer's 261 bytes and specials. */
const tiny: PromptArchitecture = {
  width: 32,
  encoderLayers: 2,
  decoderLayers: 2,
  attentionHeads: 2,
  feed: 64,
  positions: 128,
  promptHidden: 16,
  tokens: 299,
  heads: [
    { name: 'diag', tokens: Array.from({ length: 23 }, (_, i) => 265 + i) },
    { name: 'med', tokens: Array.from({ length: 12 }, (_, i) => 288 + i) },
  ],
  tied: false,
  numeric: 1,
  categories: [2, 3],
};
const promptless: PromptArchitecture = { ...tiny, numeric: 0, categories: [] };

const numbers = (tensor: NamedArray | undefined): number[] => Array.from(tensor?.data ?? [], Number);

const rowsOf = (tensor: NamedArray | undefined): number[][] => {
  const [count = 0, length = 0] = tensor?.shape ?? [];
  const values = numbers(tensor);
  return Array.from({ length: count }, (_, row) => values.slice(row * length, (row + 1) * length));
};

/** The case as the reference sees it without its padding: `<s>` and the labels but the last as decoder input. */
const batchOf = async (name: string): Promise<SpanBatch> => {
  const io = await tensors('io');
  const at = (tensor: string) => io[`${name}.${tensor}`];
  const masks = rowsOf(at('attention_mask'));
  const labels = rowsOf(at('labels'));
  const same =
    at('encoded_labels_without_prompt_offset') ??
    io[`${name.replace('noprompt_', '')}.encoded_labels_without_prompt_offset`];
  const encoded = rowsOf(same);
  const said = labels.map((row) => row.findLastIndex((token) => token !== 1) + 1);
  return {
    contexts: packSequences(
      rowsOf(at('input_ids')).map((row, i) => row.filter((_, k) => masks[i]?.[k] === 1)),
    ),
    spans: packSequences(labels.map((row, i) => [0, ...row.slice(0, (said[i] as number) - 1)])),
    sources: Int32Array.from(labels.keys()),
    heads: new Int32Array(labels.length).fill(name.includes('med') ? 1 : 0),
    targets: Int32Array.from(
      encoded.flatMap((row, i) => row.slice(0, said[i]).map((target) => (target < 0 ? -1 : target))),
    ),
    numeric: Float32Array.from(numbers(at('x_num'))),
    categories: Int32Array.from(numbers(at('x_cat'))),
  };
};

/** Rows that the reference's perplexities look at. */
const scoredRows = async (name: string, { spans }: SpanBatch): Promise<number[]> => {
  const masks = rowsOf((await tensors('io'))[`${name}.label_mask`]);
  return masks.flatMap((mask, span) =>
    mask.flatMap((value, i) => (value === 1 ? [(spans.offsets[span] as number) + i] : [])),
  );
};

const furthest = (ours: ArrayLike<number>, theirs: ArrayLike<number>): number => {
  let distance = 0;
  for (let i = 0; i < theirs.length; i++) {
    const difference = Math.abs((ours[i] as number) - (theirs[i] as number));
    if (!(difference <= distance)) distance = difference;
  }
  return distance;
};

const allCases = [
  'train_diag',
  'val_diag',
  'test_diag_spl',
  'test_diag_tpl',
  'test_med_spl',
  'test_med_tpl',
  'noprompt_test_diag_spl',
];

/** The golden tests of PromptEHR, on whatever backend `start` starts. */
export const testGoldenPromptEhr = (
  test: TestFn,
  start: () => Promise<unknown>,
  cases: readonly string[] = allCases,
): void => {
  test.serial.before(async () => {
    await start();
  });
  const open = async (name: string): Promise<PromptNetwork> =>
    openNetwork(await openOps(), name.startsWith('noprompt') ? promptless : tiny, await tensors('weights'));
  const goldenOf = async (name: string) => {
    const text = await readFile(new URL('promptehr_tiny.json', folder), 'utf8');
    const found = goldenSchema.parse(JSON.parse(text)).cases.find((one) => one.name === name);
    if (!found) throw new RangeError(`no golden case ${name}`);
    return found;
  };

  for (const name of cases) {
    test.serial(`${name}: logits, loss and perplexities equal the reference's`, async (t) => {
      const before = deviceArrays();
      const network = await open(name);
      const held = network.ops.held;
      const batch = await batchOf(name);
      const { loss, perplexity, aux_exp_mean_nll: exactMean } = await goldenOf(name);
      const expected = (await tensors('io'))[`${name}.logits`] as NamedArray;
      const [, length, outputs] = expected.shape as [number, number, number];
      const prompts = name.startsWith('noprompt') ? 0 : 3;
      const logits = await network.logits(batch);
      let off = 0;
      for (let span = 0; span < batch.sources.length; span++) {
        const first = batch.spans.offsets[span] as number;
        for (let row = first; row < (batch.spans.offsets[span + 1] as number); row++) {
          const at = (span * length + prompts + row - first) * outputs;
          const theirs = Float32Array.from(expected.data.slice(at, at + outputs), Number);
          off = Math.max(off, furthest(logits[row] as Float32Array, theirs));
        }
      }
      t.true(off < 1e-5, `logits off by ${off}`);
      const { sum, cells } = await network.loss(batch);
      t.true(Math.abs(sum / cells - loss) < 1e-5, `loss ${sum / cells}, expected ${loss}`);
      if (perplexity !== null) {
        const logs = await network.logProbabilities(batch);
        const scored = await scoredRows(name, batch);
        const probabilities = scored.map((row) => Math.exp(logs[row] as number));
        const theirs = (await tensors('io'))[`${name}.target_probs`];
        if (theirs) t.true(furthest(probabilities, numbers(theirs)) < 1e-6);
        // The reference's: the lower median of 1 / p over the batch.
        const inverse = probabilities.map((p) => 1 / (p + 1e-16)).sort((x, y) => x - y);
        const median = inverse[Math.floor((inverse.length - 1) / 2)] as number;
        t.true(Math.abs(median / perplexity - 1) < 1e-5, `perplexity ${median}, expected ${perplexity}`);
        if (exactMean) {
          const mean = Math.exp(-scored.reduce((all, row) => all + (logs[row] as number), 0) / scored.length);
          t.true(Math.abs(mean / exactMean - 1) < 1e-5, `perplexity ${mean}, expected ${exactMean}`);
        }
      }
      t.is(network.ops.held, held);
      network.dispose();
      t.is(deviceArrays(), before);
    });
  }

  test.serial("gradients equal the reference's, tensor by tensor", async (t) => {
    const before = deviceArrays();
    const network = await open('train_diag');
    const held = network.ops.held;
    const expected = await tensors('grads_train');
    const gradients = new Map<string, Float32Array>();
    const loss = await network.learn(await batchOf('train_diag'), {}, ({ name }, gradient) => {
      t.false(gradients.has(name), `${name} twice`);
      gradients.set(name, network.ops.download(gradient));
    });
    t.true(Math.abs(loss - (await goldenOf('train_diag')).loss) < 1e-5);
    const used = network.weights.filter(({ name }) => gradients.has(name));
    const valuesOf = ({ name }: Weight) => gradients.get(name) ?? new Float32Array(0);
    const ours = await toReference(used, valuesOf, network.pace);
    t.deepEqual(Object.keys(ours).sort(), Object.keys(expected).sort());
    for (const [name, tensor] of Object.entries(expected)) {
      const theirs = numbers(tensor);
      const size = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-4);
      const off = furthest(numbers(ours[name]), theirs) / size;
      t.true(off < 1e-4, `${name} off by ${off} of ${size}`);
    }
    t.is(network.ops.held, held);
    network.dispose();
    t.is(deviceArrays(), before);
  });

  test.serial('the weights go back into the reference’s tensors', async (t) => {
    const network = await open('train_diag');
    const theirs = await tensors('weights');
    const ours = await network.reference();
    t.deepEqual(Object.keys(ours).sort(), Object.keys(theirs).sort());
    for (const [name, tensor] of Object.entries(ours)) {
      t.deepEqual(tensor.shape, theirs[name]?.shape, name);
      t.is(furthest(numbers(tensor), numbers(theirs[name])), 0, name);
    }
    network.dispose();
  });
};
