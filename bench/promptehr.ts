/**
 * PromptEHR's training step against the published code's, in one run, and the speed of writing spans:
 *   node bench/promptehr.ts [--small] [--steps 3] [--batch 16] [--seed 3]
 * The published code runs in an environment of its own: UNDERSTUDY_PYTHON (default python3) must have torch and
 * transformers 4.25.1; UNDERSTUDY_PROMPTEHR is the folder of the repository, which is cloned where it is not given.
 * Both sides get the same weights and the same 16 sequences, padded for the peer as its collator does; their losses
 * must be equal. Seed 3 pads as much as the median of seeds 1 to 201. The timed steps have dropout 0.1 (ours not
 * inside attention and feed-forward) and clipping at 0.5 on both sides.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBackend } from '../infra/backend.ts';
import type { PromptArchitecture } from '../pipelines/models/promptehr/architecture.ts';
import { lossRows, type SpanBatch } from '../pipelines/models/promptehr/batch.ts';
import { PromptNetwork } from '../pipelines/models/promptehr/network.ts';
import type { Part } from '../pipelines/models/promptehr/parts.ts';
import { adamRates } from '../pipelines/nn/adam.ts';
import type { Update } from '../pipelines/nn/layers.ts';
import { openOps } from '../pipelines/nn/open-ops.ts';
import { RandomSource } from '../pipelines/random.ts';
import { encodeSafetensors } from '../pipelines/safetensors.ts';
import { type BenchBatch, benchBatch, heads, tokens } from './promptehr-batch.ts';

const { values } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    steps: { type: 'string', default: '3' },
    batch: { type: 'string', default: '16' },
    seed: { type: 'string', default: '3' },
  },
});
const steps = Number(values.steps);
const repository = 'https://github.com/RyanWangZf/PromptEHR';

const sizes = values.small
  ? { width: 64, encoderLayers: 2, decoderLayers: 2, attentionHeads: 4, feed: 256, positions: 1024 }
  : { width: 768, encoderLayers: 6, decoderLayers: 6, attentionHeads: 12, feed: 3072, positions: 1024 };
const architecture: PromptArchitecture = {
  ...sizes,
  promptHidden: 128,
  tokens,
  heads,
  tied: false,
  numeric: 1,
  categories: [2, 5],
};

const say = (text: string) => process.stdout.write(`${text}\n`);
const median = (list: number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
const seconds = (value: number) => `${value.toFixed(value < 1 ? 3 : 2)} s`;

const initial = (part: Part): { value: Float32Array } => {
  const value = new Float32Array(part.shape.reduce((a, b) => a * b, 1));
  if (part.shape.length === 1) return { value: value.fill(/norm.*weight$/.test(part.name) ? 1 : 0) };
  // Cheap numbers of BART's spread: only the first block of a part is drawn.
  const block = new Float64Array(Math.min(value.length, 4096));
  new RandomSource(1, 'weights').fill(block, 0, block.length, value.length);
  value.forEach((_, i) => {
    value[i] = ((block[(i * 17) % block.length] as number) - 0.5) * 0.07;
  });
  return { value };
};

interface PeerReport {
  torch: string;
  threads: number;
  loss: number;
  parameters: number;
  /** Forward, backward with clipping, update. */
  steps: [number, number, number][];
  mebibytes: number;
}

const cloned = (folder: string): string | undefined => {
  const target = join(folder, 'PromptEHR');
  const done = spawnSync('git', ['clone', '--depth', '1', repository, target], { encoding: 'utf8' });
  if (done.status === 0) return target;
  console.error(`${repository} was not cloned: ${done.error?.message ?? done.stderr.trim()}`);
  return undefined;
};

const runPeer = (source: string, weights: string, batch: BenchBatch): PeerReport | undefined => {
  const { same } = batch;
  const features = architecture.categories.length;
  const task = {
    steps,
    codeType: heads[0]?.name,
    heads: Object.fromEntries(heads.map(({ name, tokens: said }) => [name, said])),
    config: {
      vocab_size: tokens,
      d_model: sizes.width,
      encoder_layers: sizes.encoderLayers,
      decoder_layers: sizes.decoderLayers,
      encoder_attention_heads: sizes.attentionHeads,
      decoder_attention_heads: sizes.attentionHeads,
      encoder_ffn_dim: sizes.feed,
      decoder_ffn_dim: sizes.feed,
      max_position_embeddings: sizes.positions,
      // As in facebook/bart-base.
      dropout: 0.1,
      attention_dropout: 0.1,
      activation_dropout: 0.1,
      pad_token_id: 1,
      decoder_start_token_id: 0,
    },
    prompts: { d_prompt_hidden: 128, n_num_feature: 1, cat_cardinalities: architecture.categories },
    batch: {
      input_ids: batch.inputs,
      attention_mask: batch.attention,
      labels: batch.labels,
      x_num: Array.from(same.numeric, (value) => [value]),
      x_cat: batch.inputs.map((_, i) => [...same.categories.subarray(i * features, (i + 1) * features)]),
    },
  };
  const script = new URL('./promptehr-peer.py', import.meta.url).pathname;
  const python = process.env['UNDERSTUDY_PYTHON'] ?? 'python3';
  const done = spawnSync(python, [script, source, weights], {
    input: JSON.stringify(task),
    maxBuffer: 2 ** 28,
    encoding: 'utf8',
  });
  if (done.status === 0) return JSON.parse(done.stdout) as PeerReport;
  console.error(`the peer did not run: ${done.error?.message ?? done.stderr.trim().split('\n').at(-1)}`);
  return undefined;
};

/** Median seconds of a step, the first not counted; `updated` says whether weights move. */
const timeSteps = async (network: PromptNetwork, batch: SpanBatch, updated: boolean): Promise<number> => {
  const source = new RandomSource(1, 'order');
  const taken: number[] = [];
  for (let step = 0; step <= steps; step++) {
    const rates = adamRates(step + 1, 1e-5);
    const update: Update = updated
      ? (parameter, gradient) => network.ops.adam(parameter, gradient, rates)
      : () => {};
    const start = performance.now();
    await network.learn(batch, { clip: 0.5, dropout: { rate: 0.1, source, step } }, update);
    if (step > 0) taken.push((performance.now() - start) / 1000);
  }
  return median(taken);
};

/** Longest time that the event loop waits while a step runs, in milliseconds. */
const longestWait = async (network: PromptNetwork, batch: SpanBatch): Promise<number> => {
  let [last, most] = [performance.now(), 0];
  const timer = setInterval(() => {
    most = Math.max(most, performance.now() - last);
    last = performance.now();
  }, 1);
  await network.learn(batch, {}, () => {});
  clearInterval(timer);
  return Math.max(most, performance.now() - last);
};

const timeDecoding = async (network: PromptNetwork, batch: SpanBatch): Promise<void> => {
  const length = 20;
  const copies = values.small ? 16 : 4;
  const count = batch.sources.length * copies;
  const sources = Int32Array.from({ length: count }, (_, i) => Math.floor(i / copies));
  const start = performance.now();
  const memory = await network.encode(batch.contexts, batch);
  const read = performance.now();
  const decoder = network.decode(memory, sources, new Int32Array(count));
  let said = new Int32Array(count).fill(5);
  for (let position = 0; position < length; position++) {
    const logits = await decoder.step(said);
    said = Int32Array.from(
      logits,
      (row) => heads[0]?.tokens[row.indexOf(Math.max(...row.subarray(0, 64)))] ?? 0,
    );
  }
  const end = performance.now();
  decoder.dispose();
  memory.dispose();
  say(
    `decoding: ${batch.sources.length} contexts read in ${seconds((read - start) / 1000)}, ${count} spans of ` +
      `${length} tokens written in ${seconds((end - read) / 1000)}: ` +
      `${((count * length * 1000) / (end - read)).toFixed(0)} tokens/s`,
  );
};

const backend = await startBackend();
const batch = benchBatch(Number(values.batch), Number(values.seed));
const network = new PromptNetwork(await openOps(), architecture, initial);
const rows = batch.inputs.length * (3 + (batch.inputs[0]?.length ?? 0));
const spanRows = batch.labels.length * (3 + (batch.labels[0]?.length ?? 0));
const { same } = batch;
say(
  `${backend.name} ${backend.library ?? ''}; ${(network.parameters / 1e6).toFixed(1)} million parameters; ` +
    `${same.sources.length} sequences, ${same.contexts.tokens.length} tokens of contexts and ` +
    `${same.spans.tokens.length} of spans (${rows} and ${spanRows} rows for the peer, padded), ` +
    `${lossRows(same)} in the loss`,
);
const folder = await mkdtemp(join(tmpdir(), 'promptehr-'));
let peer: PeerReport | undefined;
try {
  const source = process.env['UNDERSTUDY_PROMPTEHR'] ?? cloned(folder);
  const weights = join(folder, 'weights.safetensors');
  await writeFile(weights, encodeSafetensors(network.reference()));
  if (source) peer = runPeer(source, weights, batch);
} finally {
  await rm(folder, { recursive: true });
}

const { sum, cells } = await network.loss(same);
const report = peer && {
  ...peer,
  step: median(peer.steps.map((parts) => parts.reduce((a, b) => a + b, 0))),
  parts: [0, 1, 2].map((part) => seconds(median(peer.steps.map((times) => times[part] as number)))),
};
if (report) {
  const equal = Math.abs(report.loss - sum / cells) < 1e-4;
  say(`losses ${report.loss.toFixed(6)} and ${(sum / cells).toFixed(6)}: ${equal ? 'equal' : 'DIFFER'}`);
  if (!equal) process.exitCode = 1;
  const [forward, backward, update] = report.parts;
  say(
    `published step: ${seconds(report.step)} (forward ${forward}, backward and clipping ${backward}, update ${update}), ` +
      `${(cells / report.step).toFixed(0)} codes/s, ${report.mebibytes} MiB; torch ${report.torch}, ` +
      `${report.threads} threads, ${(report.parameters / 1e6).toFixed(1)} million parameters`,
  );
}
for (const [name, own] of Object.entries({
  'the same batch': same,
  'one span of the last visit': batch.oneSpan,
  'all spans of the last visit': batch.allSpans,
})) {
  const learning = await timeSteps(network, own, false);
  const step = await timeSteps(network, own, true);
  const rate = lossRows(own) / step;
  const times = report
    ? `; ${(report.step / step).toFixed(1)} × as fast a step, ${((rate * report.step) / cells).toFixed(1)} × the codes/s`
    : '';
  say(
    `our step, ${name}: ${seconds(step)}, of which the update ${seconds(step - learning)}; ` +
      `${own.spans.tokens.length} tokens of spans, ${rate.toFixed(0)} codes/s${times}`,
  );
}
say(`longest wait of the event loop in a step: ${(await longestWait(network, batch.oneSpan)).toFixed(0)} ms`);
await timeDecoding(network, batch.oneSpan);
say(`greatest memory of this process: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
network.dispose();
