import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { PromptArchitecture } from '../pipelines/generators/promptehr/network/architecture.ts';
import type { BenchBatch } from './promptehr-batch.ts';

const repository = 'https://github.com/RyanWangZf/PromptEHR';

/** Seconds of one step: on the clock, and of processor time over all threads. */
export interface StepTime {
  wall: number;
  processor: number;
}

export interface PeerReport {
  torch: string;
  threads: number;
  loss: number;
  parameters: number;
  /** Forward, backward with clipping, update, on the clock. */
  parts: [number, number, number][];
  steps: StepTime[];
  mebibytes: number;
}

/** The published repository: UNDERSTUDY_PROMPTEHR, or a clone in `folder`; nothing where that failed. */
export const peerSource = (folder: string): string | undefined => {
  const given = process.env['UNDERSTUDY_PROMPTEHR'];
  if (given) return given;
  const target = join(folder, 'PromptEHR');
  const done = spawnSync('git', ['clone', '--depth', '1', repository, target], { encoding: 'utf8' });
  if (done.status === 0) return target;
  console.error(`${repository} was not cloned: ${done.error?.message ?? done.stderr.trim()}`);
  return undefined;
};

const taskOf = (architecture: PromptArchitecture, batch: BenchBatch, steps: number) => {
  const { same } = batch;
  const { heads, categories } = architecture;
  const features = categories.length;
  return {
    steps,
    codeType: heads[0]?.name,
    heads: Object.fromEntries(heads.map(({ name, tokens }) => [name, tokens])),
    config: {
      vocab_size: architecture.tokens,
      d_model: architecture.width,
      encoder_layers: architecture.encoderLayers,
      decoder_layers: architecture.decoderLayers,
      encoder_attention_heads: architecture.attentionHeads,
      decoder_attention_heads: architecture.attentionHeads,
      encoder_ffn_dim: architecture.feed,
      decoder_ffn_dim: architecture.feed,
      max_position_embeddings: architecture.positions,
      // As in facebook/bart-base.
      dropout: 0.1,
      attention_dropout: 0.1,
      activation_dropout: 0.1,
      pad_token_id: 1,
      decoder_start_token_id: 0,
    },
    prompts: {
      d_prompt_hidden: architecture.promptHidden,
      n_num_feature: architecture.numeric,
      cat_cardinalities: categories,
    },
    batch: {
      input_ids: batch.inputs,
      attention_mask: batch.attention,
      labels: batch.labels,
      x_num: Array.from(same.numeric, (value) => [value]),
      x_cat: batch.inputs.map((_, i) => [...same.categories.subarray(i * features, (i + 1) * features)]),
    },
  };
};

/** Steps of the published code from our weights (a safetensors file); nothing where it does not run. */
export const runPeer = (
  source: string,
  weights: string,
  architecture: PromptArchitecture,
  batch: BenchBatch,
  steps: number,
): PeerReport | undefined => {
  const script = new URL('./promptehr-peer.py', import.meta.url).pathname;
  const python = process.env['UNDERSTUDY_PYTHON'] ?? 'python3';
  const done = spawnSync(python, [script, source, weights], {
    input: JSON.stringify(taskOf(architecture, batch, steps)),
    maxBuffer: 2 ** 28,
    encoding: 'utf8',
  });
  if (done.status === 0) return JSON.parse(done.stdout) as PeerReport;
  console.error(`the peer did not run: ${done.error?.message ?? done.stderr.trim().split('\n').at(-1)}`);
  return undefined;
};
