/**
 * PromptEHR: Wang, Sun. PromptEHR: conditional electronic healthcare records generation with prompt learning.
 * EMNLP
 * 2022. Numbers as in its code, RyanWangZf/PromptEHR.
 *
 * An encoder reads a patient's visits as a stream of codes in brackets (promptehr/streams.ts), a decoder
 * writes one span of one visit, and facts of the patient stand before both as prompts (promptehr/network.ts).
 * It is trained to tell spans from corrupted contexts (promptehr/examples.ts, promptehr/fitting.ts), and
 * draws records span by span (promptehr/sampler.ts), from facts that are drawn too (promptehr/marginals.ts).
 */
import { defineGenerator } from '../generation/generator.ts';
import { openOps } from '../nn/ops/open-ops.ts';
import { promptImport } from './promptehr/adoption/adopt.ts';
import { openNetwork } from './promptehr/network/network.ts';
import { readPromptModel } from './promptehr/records/prompt-model.ts';
import { promptSampling } from './promptehr/sampling/decoding.ts';
import { PromptSampler } from './promptehr/sampling/sampler.ts';
import { promptConfig } from './promptehr/training/config.ts';
import { fitPrompt } from './promptehr/training/fitting.ts';
import { promptStart } from './promptehr/training/warm-weights.ts';

export default defineGenerator({
  name: 'promptehr',
  title: 'Encoder–decoder over spans of codes, prompted by facts of the patient',
  paper:
    'Wang, Sun 2022, PromptEHR: conditional electronic healthcare records generation with prompt learning, https://doi.org/10.18653/v1/2022.emnlp-main.185',
  version: 2,
  config: promptConfig,
  sampling: promptSampling,
  capabilities: ['labels', 'demographics', 'seeds', 'conditional', 'impute'],
  fit: (data, config, seed) => fitPrompt(data, config, seed),
  fitFrom: (start, data, config, seed) => fitPrompt(data, config, seed, promptStart(start)),
  importCheckpoint: promptImport,
  async open(saved, _config, vocabulary) {
    const model = readPromptModel(saved.json, vocabulary);
    const ops = await openOps();
    return new PromptSampler(await openNetwork(ops, model.architecture, saved.arrays), model);
  },
});
