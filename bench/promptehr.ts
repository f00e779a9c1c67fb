/**
 * PromptEHR's training step against the published code's, in one run, the cost of an epoch by it, and the speed of writing
 * spans:
 *   node bench/promptehr.ts [--small] [--steps 3] [--batch 16] [--seed 3]
 * The published code runs in an environment of its own: UNDERSTUDY_PYTHON (default python3) must have torch and
 * transformers 4.25.1; UNDERSTUDY_PROMPTEHR is the folder of the repository, which is cloned where it is not given.
 * Both sides get the same weights and the same 16 sequences, padded for the peer as its collator does; their losses
 * must be equal. Seed 3 pads as much as the median of seeds 1 to 201. The timed steps have dropout 0.1 (ours not
 * inside attention and feed-forward) and clipping at 0.5 on both sides; the first of each kind is not counted, and the
 * least is reported, in wall clock and processor time: other work on the machine changes both, wall clock most. An
 * epoch is extrapolated: the published one is a step per 16 patients, ours a step per 16 visits. Last, steps of a training
 * as it really runs on such patients, with contexts and tasks as they come.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBackend } from '../infra/backend.ts';
import type { PromptArchitecture } from '../pipelines/generators/promptehr/network/architecture.ts';
import { PromptNetwork } from '../pipelines/generators/promptehr/network/network.ts';
import { lossRows, type SpanBatch } from '../pipelines/generators/promptehr/network/sequences.ts';
import type { Weight } from '../pipelines/generators/promptehr/network/weight-layout.ts';
import { RandomSource } from '../pipelines/kernel/random.ts';
import { encodeSafetensors } from '../pipelines/kernel/safetensors.ts';
import { adamRates } from '../pipelines/nn/layers/adam.ts';
import type { Update } from '../pipelines/nn/layers/layers.ts';
import { openOps } from '../pipelines/nn/ops/open-ops.ts';
import { benchBatch, heads, tokens } from './promptehr-batch.ts';
import { timeFitting } from './promptehr-fitting.ts';
import { type PeerReport, peerSource, runPeer, type StepTime } from './promptehr-peer.ts';
import { productPeak, stepOperations } from './promptehr-products.ts';

const { values } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    steps: { type: 'string', default: '3' },
    batch: { type: 'string', default: '16' },
    seed: { type: 'string', default: '3' },
  },
});
const steps = Number(values.steps);
/** The training split of the paper, and its visits at MIMIC-III's 1.27 a patient. */
const split = { patients: 39_581, visits: 50_268 };

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
const seconds = (value: number) => `${value.toFixed(value < 1 ? 3 : 2)} s`;

const initial = (part: Weight): { value: Float32Array } => {
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

/** Seconds of processor time of this process so far. */
const processor = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

const least = (times: readonly StepTime[]): StepTime => ({
  wall: Math.min(...times.map((time) => time.wall)),
  processor: Math.min(...times.map((time) => time.processor)),
});

interface OurStep {
  name: string;
  batch: SpanBatch;
  rounded: boolean;
  /** Whether weights move; without, the update is what the step is shorter by. */
  updated: boolean;
}

/** Least seconds of each kind of step, the kinds in turns, the first turn not counted. */
const timeSteps = async (network: PromptNetwork, kinds: readonly OurStep[]): Promise<StepTime[]> => {
  const source = new RandomSource(1, 'order');
  const taken = kinds.map((): StepTime[] => []);
  for (let step = 0; step <= steps; step++)
    for (const [kind, { batch, rounded, updated }] of kinds.entries()) {
      const rates = adamRates(step + 1, 1e-5);
      const update: Update = updated
        ? (parameter, gradient) => network.ops.adam(parameter, gradient, rates)
        : () => {};
      const [wall, start] = [performance.now(), processor()];
      await network.learn(batch, { clip: 0.5, rounded, dropout: { rate: 0.1, source, step } }, update);
      const time = { wall: (performance.now() - wall) / 1000, processor: processor() - start };
      if (step > 0) taken[kind]?.push(time);
    }
  return taken.map(least);
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
  let written = new Int32Array(count).fill(5);
  for (let position = 0; position < length; position++) {
    const logits = await decoder.step(written);
    written = Int32Array.from(
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

const shown = ({ wall, processor: used }: StepTime) =>
  `${seconds(wall)} (${seconds(used)} of processor time)`;

/** What an epoch over the paper's training split takes, by a step of `codes` codes. */
const sayEpoch = (whose: string, { wall, processor: used }: StepTime, epochSteps: number, codes: number) => {
  const hours = (value: number) => ((value * epochSteps) / 3600).toFixed(2);
  say(
    `  ${whose} epoch of ${split.patients} patients, ${epochSteps.toFixed(0)} steps: ${hours(wall)} h (${hours(used)} h of ` +
      `processor time), ${((codes * epochSteps) / 1e6).toFixed(2)} million codes learned, ` +
      `${((wall / codes) * (1e6 / 3600)).toFixed(2)} h a million`,
  );
};

const backend = await startBackend();
const size = Number(values.batch);
const batch = benchBatch(size, Number(values.seed));
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
  const source = peerSource(folder);
  const weights = join(folder, 'weights.safetensors');
  await writeFile(weights, encodeSafetensors(await network.reference()));
  if (source) peer = runPeer(source, weights, architecture, batch, steps);
} finally {
  await rm(folder, { recursive: true });
}

const { sum, cells } = await network.loss(same);
const published = peer && least(peer.steps);
if (peer && published) {
  const equal = Math.abs(peer.loss - sum / cells) < 1e-4;
  say(`losses ${peer.loss.toFixed(6)} and ${(sum / cells).toFixed(6)}: ${equal ? 'equal' : 'DIFFER'}`);
  if (!equal) process.exitCode = 1;
  const [forward, backward, update] = [0, 1, 2].map((part) =>
    seconds(Math.min(...(peer?.parts ?? []).map((times) => times[part] as number))),
  );
  say(
    `published step: ${shown(published)} (forward ${forward}, backward and clipping ${backward}, update ${update}), ` +
      `${(cells / published.wall).toFixed(0)} codes/s, ${peer.mebibytes} MiB; torch ${peer.torch}, ` +
      `${peer.threads} threads, ${(peer.parameters / 1e6).toFixed(1)} million parameters`,
  );
  sayEpoch('published', published, split.patients / size, cells);
}
const kinds = Object.entries({
  'the same batch': same,
  'one span of the last visit': batch.oneSpan,
  'all spans of the last visit': batch.allSpans,
}).flatMap(([name, own]): OurStep[] => [
  { name, batch: own, rounded: false, updated: true },
  { name: `${name}, bfloat16`, batch: own, rounded: true, updated: true },
]);
const [still, ...times] = await timeSteps(network, [
  { name: 'without update', batch: batch.allSpans, rounded: false, updated: false },
  ...kinds,
]);
for (const [i, time] of times.entries()) {
  const { name, batch: own } = kinds[i] as OurStep;
  const codes = lossRows(own);
  const against = (key: keyof StepTime): string => {
    const ratio = (published?.[key] ?? Number.NaN) / time[key];
    return `${ratio.toFixed(2)} × a step, ${((ratio * codes) / cells).toFixed(1)} × the codes/s`;
  };
  const ratios = published ? `; ${against('wall')}; by processor time ${against('processor')}` : '';
  say(`our step, ${name}: ${shown(time)}, ${(codes / time.wall).toFixed(0)} codes/s${ratios}`);
  if (own === batch.allSpans) sayEpoch('our', time, split.visits / size, codes);
}
const whole = times[kinds.findIndex(({ batch: own }) => own === batch.allSpans)] as StepTime;
const peaks = productPeak(network.ops, processor);
for (const [i, time] of times.entries()) {
  const { name, batch: own, rounded } = kinds[i] as OurStep;
  const [done, peak] = [stepOperations(network, own) / time.processor, peaks[rounded ? 1 : 0] as number];
  say(
    `products with matrices, ${name}: ${(done / 1e9).toFixed(0)} GFLOP a second of processor time over the whole step, ` +
      `${((100 * done) / peak).toFixed(0)} % of what 2048³ takes (${(peak / 1e9).toFixed(0)})`,
  );
}
say(`update of all weights: ${seconds(whole.processor - (still as StepTime).processor)} of processor time`);
say(`longest wait of the event loop in a step: ${(await longestWait(network, batch.oneSpan)).toFixed(0)} ms`);
await timeDecoding(network, batch.oneSpan);
say(`peak memory of this process: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
network.dispose();

for (const precision of ['float32', 'bfloat16'] as const) {
  const count = 3 * steps;
  const time = await timeFitting(precision, count, values.small, processor);
  const ratio = (key: keyof StepTime) => ((published?.[key] ?? Number.NaN) / time[key]).toFixed(2);
  const against = published
    ? `; ${ratio('wall')} × a published step, ${ratio('processor')} × by processor time`
    : '';
  say(`a training step with all its tasks, ${precision}: ${shown(time)} a step, mean of ${count}${against}`);
}
