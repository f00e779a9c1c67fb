import { startBackend } from '../../../../infra/backend.ts';
import { PromptNetwork } from '../../../../pipelines/generators/promptehr/network/network.ts';
import { fitFeatures } from '../../../../pipelines/generators/promptehr/records/features.ts';
import { fitMarginals } from '../../../../pipelines/generators/promptehr/records/marginals.ts';
import {
  interfaceOf,
  type PromptModel,
} from '../../../../pipelines/generators/promptehr/records/prompt-model.ts';
import { streamsOf } from '../../../../pipelines/generators/promptehr/records/streams.ts';
import { RandomSource } from '../../../../pipelines/kernel/random.ts';
import { openOps } from '../../../../pipelines/nn/ops/open-ops.ts';
import {
  type Demographic,
  type VisitColumns,
  VisitColumnsBuilder,
} from '../../../../pipelines/patients/visit-columns.ts';
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';

const modalities = ['dx', 'dx', 'dx', 'dx', 'px', 'px', 'px', 'rx', 'rx', 'gap', 'gap'] as const;
/** Four diagnoses, three procedures, two drugs, two spans of days. */
export const toyVocabulary: Vocabulary = {
  codes: modalities.map((modality, i) => ({ modality, code: `${i}` })),
  labels: ['first', 'second'],
};

/** Patients of one to four visits with any codes; women are old and have the first label. */
export const toyCohort = (patients = 200): VisitColumns => {
  const random = new RandomSource(21, 'order');
  const uniforms = new Float64Array(64);
  const builder = new VisitColumnsBuilder();
  const [age, sex] = [new Float32Array(patients), new Int32Array(patients)];
  for (let patient = 0; patient < patients; patient++) {
    random.fill(uniforms, 0, 64, patient);
    const u = (i: number) => uniforms[i] as number;
    sex[patient] = u(0) < 0.4 ? 0 : 1;
    age[patient] = Math.round((sex[patient] === 0 ? 70 : 40) + 10 * u(1));
    const visits = Array.from({ length: 1 + Math.floor(4 * u(2)) }, (_, visit) => {
      const codes = [...Array(9).keys()].filter((code) => u(4 + 10 * visit + code) < 0.4);
      return [...(codes.length > 0 ? codes : [0]), ...(visit > 0 ? [9 + (visit % 2)] : [])];
    });
    builder.addPatient(visits, [1 - (sex[patient] as number), u(3) < 0.3 ? 1 : 0]);
  }
  const demographics: Record<string, Demographic> = {
    age: { kind: 'numeric', values: age },
    sex: { kind: 'categorical', levels: ['F', 'M'], values: sex },
  };
  return { ...builder.build(), demographics };
};

/** A small network with random weights that say something, and the facts of the toy cohort. */
export const toyModel = async (
  order: PromptModel['settings']['order'] = 'canonical',
): Promise<{ network: PromptNetwork; model: PromptModel; cohort: VisitColumns }> => {
  await startBackend();
  const cohort = toyCohort();
  const streams = streamsOf(toyVocabulary);
  const choice = { numeric: 'all', categorical: 'all', labels: 'all' } as const;
  const features = fitFeatures({ train: cohort, vocabulary: toyVocabulary }, choice);
  const everybody = Int32Array.from({ length: cohort.visitOffsets.length - 1 }, (_, i) => i);
  const contextTokens = 40;
  const model: PromptModel = {
    architecture: {
      width: 16,
      encoderLayers: 1,
      decoderLayers: 1,
      attentionHeads: 2,
      feed: 32,
      positions: 48,
      promptHidden: 8,
      tied: true,
      ...interfaceOf(streams, features),
    },
    streams,
    features,
    marginals: fitMarginals(cohort, everybody, features, 2),
    settings: { contextTokens, order },
  };
  const random = new RandomSource(4, 'weights');
  let at = 0;
  const network = new PromptNetwork(await openOps(), model.architecture, ({ shape }) => {
    const uniforms = new Float64Array(shape.reduce((a, b) => a * b, 1));
    random.fill(uniforms, 0, uniforms.length, at++);
    return { value: Float32Array.from(uniforms, (u) => 1.2 * (2 * u - 1)) };
  });
  return { network, model, cohort };
};
