/**
 * HALO against the published code (btheodorou99/HALO_Inpatient at 8d30ef8), in one run on the same simulated patients:
 *   node bench/halo.ts [--size paper|small] [--what all|train|sample|gemm] [--steps N] [--blocks N] [--check]
 * The published code is taken from UNDERSTUDY_HALO or cloned; it runs on UNDERSTUDY_PYTHON, or in an environment of its
 * own in the cache folder, with torch installed. Steps alternate, the peer's first, the first of each not counted;
 * making its dense batch is not counted for the peer, packing is for us. With --check (small: always) both begin with the
 * same weights and their losses must stay equal; the weights' file then counts in our memory.
 * Sampling to the end would take the peer hours: its time for one visit of 256 patients is that of the transformer and
 * of one turn of its loop over columns, times the turns the loop would take for the codes that we drew.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBackend } from '../infra/backend.ts';
import { patientBlock } from '../pipelines/generation/record-sampler.ts';
import { layoutOf } from '../pipelines/generation/record-sets.ts';
import type { Architecture } from '../pipelines/generators/halo/network/architecture.ts';
import { type Batch, packPatients } from '../pipelines/generators/halo/network/batch.ts';
import { HaloNetwork } from '../pipelines/generators/halo/network/network.ts';
import { toReference, type Weight } from '../pipelines/generators/halo/network/weight-layout.ts';
import { haloSampler, samplingColumns } from '../pipelines/generators/halo/sampling/sampler.ts';
import { initialValues } from '../pipelines/generators/halo/training/initial-weights.ts';
import { RandomSource } from '../pipelines/kernel/random.ts';
import { encodeSafetensors } from '../pipelines/kernel/safetensors.ts';
import { adamRates } from '../pipelines/nn/layers/adam.ts';
import { openOps } from '../pipelines/nn/ops/open-ops.ts';
import { HaloPeer, type PeerConfig } from './halo-peer.ts';
import { simulatedCohort } from './simulated-cohort.ts';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: 'small' },
    what: { type: 'string', default: 'all' },
    steps: { type: 'string' },
    blocks: { type: 'string', default: '5' },
    check: { type: 'boolean', default: false },
  },
});
const isPaper = values.size === 'paper';
const steps = Number(values.steps ?? (isPaper ? 5 : 11));
const wants = (what: string): boolean => values.what === 'all' || values.what === what;
const check = values.check || !isPaper;

const batchSize = 48;
const gemmSize = 2048;
const context = isPaper ? 48 : 24;
const architecture: Architecture = {
  ...(isPaper
    ? { layers: 12, heads: 12, embedding: 768, codes: 6841 }
    : { layers: 4, heads: 4, embedding: 256, codes: 2020 }),
  labels: 25,
  maxVisits: context - 2,
  positions: context + 8,
};
const layout = layoutOf(architecture);
const peerConfig: PeerConfig = {
  total_vocab_size: layout.width,
  code_vocab_size: layout.codes,
  label_vocab_size: layout.labels,
  special_vocab_size: 3,
  n_positions: architecture.positions,
  n_ctx: context,
  n_embd: architecture.embedding,
  n_layer: architecture.layers,
  n_head: architecture.heads,
  batch_size: batchSize,
};

const say = (text: string) => process.stdout.write(`${text}\n`);
const median = (list: number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
const shown = (list: number[]): string =>
  `${median(list).toFixed(3)} s (least ${Math.min(...list).toFixed(3)})`;
const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
const ourPeak = (): string => gibibytes(process.resourceUsage().maxRSS * 1024);

const columns = simulatedCohort((steps + 1) * batchSize, 1, architecture.codes);
const fresh = async (blockSize: number, start: 'random' | 'prevalence'): Promise<HaloNetwork> => {
  const draw = initialValues(architecture, new RandomSource(1, 'weights'), columns, start);
  return HaloNetwork.build(await openOps(), architecture, blockSize, (part) => ({ value: draw(part) }));
};

/** Fastest of ten products of square matrices, in operations per second. */
const gemmPeak = async (): Promise<number> => {
  const ops = await openOps();
  const cells = Float32Array.from({ length: gemmSize ** 2 }, (_, i) => Math.sin(i));
  const taken = Array.from({ length: 11 }, () =>
    ops.scope(() => {
      const [a, b] = [ops.upload(cells, [gemmSize, gemmSize]), ops.upload(cells, [gemmSize, gemmSize])];
      const start = performance.now();
      ops.matMul(a, b);
      return (performance.now() - start) / 1000;
    }),
  );
  ops.dispose();
  return (2 * gemmSize ** 3) / Math.min(...taken.slice(1));
};

/** Operations of the products with weights in one step: forward, and backward for inputs and weights; not of attention. */
const stepOperations = (network: HaloNetwork, batch: Batch): number => {
  const isProduct = (name: string) => !/embed_mat|auto1\.(diagonal|rest)/.test(name);
  return network.weights
    .filter(({ name, shape }) => shape.length === 2 && isProduct(name))
    .reduce((sum, { shape }) => sum + 6 * batch.histories * (shape[0] as number) * (shape[1] as number), 0);
};

/** Runs `work`; returns how long the event loop waited at most, in milliseconds. */
const watched = async <T>(work: () => Promise<T>): Promise<{ result: T; wait: number }> => {
  let [last, wait] = [performance.now(), 0];
  const look = () => {
    wait = Math.max(wait, performance.now() - last);
    last = performance.now();
  };
  const timer = setInterval(look, 1);
  const result = await work();
  look();
  clearInterval(timer);
  return { result, wait };
};

const openPeer = async (peer: HaloPeer, network: HaloNetwork): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'halo-'));
  const weights = join(folder, 'weights.safetensors');
  try {
    if (check) await writeFile(weights, encodeSafetensors(await network.reference()));
    const opened = await peer.open(peerConfig, columns, check ? weights : undefined);
    say(
      `peer: PyTorch ${opened.torch}, Python ${opened.python}, ${opened.threads} threads, ` +
        `${(opened.parameters / 1e6).toFixed(1)} million parameters; ours ${(network.parameters / 1e6).toFixed(1)}`,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
};

const train = async (peer: HaloPeer, peak: number): Promise<void> => {
  const built = await watched(() => fresh(512, 'random'));
  const network = built.result;
  await openPeer(peer, network);
  const scale = { normalization: 'padded', positiveWeight: 1, maxVisits: architecture.maxVisits } as const;
  const [theirs, ours, shares, waits]: [number[], number[], number[], number[]] = [[], [], [], []];
  let apart = 0;
  for (let step = 0; step <= steps; step++) {
    const published = await peer.step(step * batchSize);
    const start = performance.now();
    const chosen = Int32Array.from({ length: batchSize }, (_, i) => step * batchSize + i);
    const batch = packPatients(layout, columns, chosen, architecture.maxVisits);
    const rates = adamRates(step + 1, 1e-4);
    const { result: loss, wait } = await watched(() =>
      network.learn(batch, scale, (parameter, gradient) => network.ops.adam(parameter, gradient, rates)),
    );
    const taken = (performance.now() - start) / 1000;
    waits.push(wait);
    if (check) apart = Math.max(apart, Math.abs(loss / published.loss - 1));
    if (step === 0) continue;
    theirs.push(published.parts.reduce((a, b) => a + b));
    ours.push(taken);
    shares.push(stepOperations(network, batch) / taken / peak);
  }
  const { mebibytes } = await peer.memory();
  say(`training, batch ${batchSize}, ${steps} steps: peer ${shown(theirs)}, ours ${shown(ours)}`);
  say(
    `  ratio of medians ${(median(theirs) / median(ours)).toFixed(1)}; of the least ${(Math.min(...theirs) / Math.min(...ours)).toFixed(1)}`,
  );
  say(`  products with weights: ${(100 * median(shares)).toFixed(0)} % of the GEMM peak, end to end`);
  say(`  peak memory: peer ${gibibytes(mebibytes * 2 ** 20)}, ours ${ourPeak()}`);
  const weights = ({ name }: Weight) => network.ops.download(network.variable(name));
  const put = await watched(() => toReference(architecture, network.weights, weights, network.pace));
  say(
    `  longest wait of the event loop: ${built.wait.toFixed(0)} ms drawing weights, ` +
      `${waits[0]?.toFixed(0)} ms in the first step, ${Math.max(...waits.slice(1)).toFixed(0)} ms later, ` +
      `${put.wait.toFixed(0)} ms putting the model together`,
  );
  if (check) {
    say(
      `  losses of ${steps + 1} steps ${apart < 1e-4 ? 'equal' : 'DIFFER'} (relative ${apart.toExponential(1)})`,
    );
    if (!(apart < 1e-4)) process.exitCode = 1;
  }
  network.dispose();
};

const sample = async (peer: HaloPeer, isOpen: boolean): Promise<void> => {
  const network = await fresh(samplingColumns, 'prevalence');
  if (!isOpen) await peer.open(peerConfig, columns);
  const sampler = haloSampler(network);
  await sampler.sampleBlock(0, 1);
  const taken: number[] = [];
  const turns: number[] = [];
  let positions = 0;
  for (let block = 1; block <= Number(values.blocks); block++) {
    const start = performance.now();
    const records = await sampler.sampleBlock(block, 1);
    taken.push((performance.now() - start) / 1000);
    positions += records.reduce((sum, sets) => sum + sets.length - 1, 0);
    turns.push(1 + new Set(records.flatMap((sets) => Array.from(sets[2] ?? []))).size);
  }
  const all = taken.reduce((a, b) => a + b);
  const ofVisit = (all / positions) * patientBlock;
  say(
    `sampling, ${patientBlock} patients at a time: ${shown(taken)}, ${((patientBlock * taken.length) / all).toFixed(0)} patients/s`,
  );
  say(`  peak memory (with what ran before): ${ourPeak()}`);
  const { transformer, turn } = await peer.sample(patientBlock);
  const theirs = transformer + median(turns) * turn;
  say(
    `  one visit of ${patientBlock} patients: peer ${transformer.toFixed(2)} s and ${turn.toFixed(3)} s a turn, × ` +
      `${median(turns)} turns = ${theirs.toFixed(0)} s (not run to the end); ours ${ofVisit.toFixed(3)} s: ` +
      `ratio ${(theirs / ofVisit).toFixed(0)}`,
  );
  sampler.dispose();
};

const backend = await startBackend();
say(
  `${cpus()[0]?.model.trim()}, ${cpus().length} processors; Node ${process.versions.node}, ${backend.name} ${backend.library ?? ''}`,
);
say(`${architecture.layers} × ${architecture.embedding}, ${layout.width} columns, context ${context}`);
const peer = await HaloPeer.start();
try {
  const peak = await gemmPeak();
  const published = (2 * gemmSize ** 3) / Math.min(...(await peer.gemm(gemmSize)).seconds);
  say(
    `GEMM peak at ${gemmSize}³: ours ${(peak / 1e9).toFixed(0)} GFLOP/s, PyTorch's ${(published / 1e9).toFixed(0)}`,
  );
  if (wants('train')) await train(peer, peak);
  if (wants('sample')) await sample(peer, wants('train'));
} finally {
  peer.close();
}
