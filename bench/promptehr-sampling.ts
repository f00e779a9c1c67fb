/**
 * How fast PromptEHR samples patients (cold start) at the demo's size and at BART-base's:
 *   node bench/promptehr-sampling.ts [--small] [--patients 256] [--codes 6000]
 * Weights are fresh, so a visit has about as many codes as the logarithm of what there are, per kind; numbers of visits are
 * those of a simulated cohort of MIMIC's shape. `--small`: the demo's size alone and 256 patients.
 */
import { parseArgs } from 'node:util';
import { startBackend } from '../infra/backend.ts';
import { PromptNetwork } from '../pipelines/generators/promptehr/network/network.ts';
import { fitFeatures } from '../pipelines/generators/promptehr/records/features.ts';
import { fitMarginals } from '../pipelines/generators/promptehr/records/marginals.ts';
import { interfaceOf, type PromptModel } from '../pipelines/generators/promptehr/records/prompt-model.ts';
import { streamsOf } from '../pipelines/generators/promptehr/records/streams.ts';
import { PromptSampler } from '../pipelines/generators/promptehr/sampling/sampler.ts';
import { initialValues } from '../pipelines/generators/promptehr/training/initial-weights.ts';
import { RandomSource } from '../pipelines/kernel/random.ts';
import { openOps } from '../pipelines/nn/ops/open-ops.ts';
import { visitCount } from '../pipelines/patients/visit-columns.ts';
import { modalities } from '../schemas/ehr.ts';
import type { Vocabulary } from '../schemas/vocabulary.ts';
import { simulatedCohort } from './simulated-cohort.ts';

const { values } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    patients: { type: 'string', default: '256' },
    codes: { type: 'string', default: '6000' },
  },
});
const contextTokens = 512;
const shared = { positions: contextTokens + 40, tied: true };
const sizes = {
  demo: {
    shape: { width: 128, encoderLayers: 2, decoderLayers: 2, attentionHeads: 4, feed: 256, promptHidden: 32 },
    codes: 600,
    patients: values.small ? 256 : Number(values.patients),
  },
  'BART-base': {
    shape: {
      width: 768,
      encoderLayers: 6,
      decoderLayers: 6,
      attentionHeads: 12,
      feed: 3072,
      promptHidden: 128,
    },
    codes: Number(values.codes),
    patients: values.small ? 0 : Number(values.patients),
  },
};
const samplings = { sample: {}, greedy: { method: 'greedy' }, 'beam of 4': { method: 'beam', beams: 4 } };

const say = (text: string) => process.stdout.write(`${text}\n`);

const modelOf = (codes: number, shape: (typeof sizes)['demo']['shape']): PromptModel => {
  const cohort = simulatedCohort(2000, 1);
  const labels = Array.from({ length: 25 }, (_, i) => `label ${i}`);
  const vocabulary: Vocabulary = {
    codes: Array.from({ length: codes }, (_, i) => ({ modality: modalities[i % 3] ?? 'dx', code: `${i}` })),
    labels,
  };
  const streams = streamsOf(vocabulary);
  const choice = { numeric: 'all', categorical: 'all', labels: 'all' } as const;
  const features = fitFeatures({ train: cohort, vocabulary }, choice);
  const all = Int32Array.from({ length: 2000 }, (_, i) => i);
  return {
    architecture: { ...shape, ...shared, ...interfaceOf(streams, features) },
    streams,
    features,
    marginals: fitMarginals(cohort, all, features, labels.length),
    settings: { contextTokens, order: 'canonical' },
  };
};

const backend = await startBackend((line) => say(line));
say(`${backend.name} ${backend.library ?? backend.version}, ${backend.device}`);
for (const [name, { shape, codes, patients }] of Object.entries(sizes)) {
  if (patients === 0) continue;
  const model = modelOf(codes, shape);
  const initial = initialValues(model.architecture, new RandomSource(1, 'weights'));
  const network = new PromptNetwork(await openOps(), model.architecture, (part) => ({
    value: initial(part),
  }));
  const sampler = new PromptSampler(network, model);
  say(
    `\n${name}: ${(network.parameters / 1e6).toFixed(1)} M parameters, ${codes} codes of 3 kinds, 25 labels`,
  );
  for (const [title, sampling] of Object.entries(samplings)) {
    await sampler.sample({ first: 0, count: 1, seed: 2, sampling });
    const start = performance.now();
    const drawn = await sampler.sample({ first: 0, count: patients, seed: 1, sampling });
    const seconds = (performance.now() - start) / 1000;
    const [visits, codeCount] = [visitCount(drawn), drawn.codes.length];
    say(
      `  ${title.padEnd(10)} ${patients} patients, ${visits} visits, ${codeCount} codes in ${seconds.toFixed(1)} s: ` +
        `${(patients / seconds).toFixed(1)} patients/s, ${(codeCount / seconds).toFixed(0)} codes/s`,
    );
  }
  sampler.dispose();
}
