import type { TrainingData } from '../../../pipelines/generation/generator.ts';
import { RandomSource } from '../../../pipelines/kernel/random.ts';
import {
  type Demographic,
  type VisitColumns,
  VisitColumnsBuilder,
} from '../../../pipelines/patients/visit-columns.ts';

/**
 * Patients with a pattern to find: every visit has code 0 or code 1, never both; code 0 brings codes 2 and 3, code 1
 * brings 4 and 5; label 0 says which. One to three visits. The other codes are noise of 1 in 20.
 */
export const plantedColumns = (patients: number, stream: number): VisitColumns => {
  const random = new RandomSource(17, 'order');
  const builder = new VisitColumnsBuilder();
  const uniforms = new Float64Array(64);
  for (let patient = 0; patient < patients; patient++) {
    random.fill(uniforms, 0, 64, patient, stream);
    const first = (uniforms[0] as number) < 0.5;
    const count = 1 + Math.floor((uniforms[1] as number) * 3);
    const visits = Array.from({ length: count }, (_, visit) => {
      const noise = [6, 7, 8, 9, 10, 11].filter((code) => (uniforms[8 * visit + code] as number) < 0.05);
      return [...(first ? [0, 2, 3] : [1, 4, 5]), ...noise];
    });
    builder.addPatient(visits, [first ? 1 : 0, (uniforms[60] as number) < 0.3 ? 1 : 0]);
  }
  return builder.build();
};

export const planted = (): TrainingData => ({
  vocabulary: {
    codes: Array.from({ length: 12 }, (_, i) => ({ modality: 'dx' as const, code: `${i}` })),
    labels: ['first', 'noise'],
  },
  train: plantedColumns(60, 0),
  validation: plantedColumns(24, 1),
});

/**
 * Facts that go with the pattern: patients with code 0 are women in 8 of 10 and younger than 50, others men in 7 of 10
 * and older; for one in 20 the sex is not known. The first four patients are the only ones of a third ethnicity.
 */
const plantedFacts = ({ labels }: VisitColumns, stream: number): Record<string, Demographic> => {
  const random = new RandomSource(18, 'order');
  const patients = labels.length / 2;
  const [sex, ethnicity] = [new Int32Array(patients), new Int32Array(patients)];
  const age = new Float32Array(patients);
  const uniforms = new Float64Array(4);
  for (let patient = 0; patient < patients; patient++) {
    random.fill(uniforms, 0, 4, patient, stream);
    const [one, two, three, four] = uniforms as unknown as [number, number, number, number];
    const first = labels[2 * patient] === 1;
    sex[patient] = four < 0.05 ? -1 : one < (first ? 0.8 : 0.3) ? 0 : 1;
    ethnicity[patient] = patient < 4 ? 2 : two < 0.7 ? 0 : 1;
    age[patient] = (first ? 20 : 50) + Math.floor(three * (first ? 30 : 40));
  }
  return {
    sex: { kind: 'categorical', levels: ['F', 'M'], values: sex },
    age: { kind: 'numeric', values: age },
    ethnicity: { kind: 'categorical', levels: ['common', 'other', 'of four'], values: ethnicity },
  };
};

/** The planted pattern in so many training patients with facts, and half as many to validate on. */
export const plantedPeople = (patients: number): TrainingData => {
  const withFacts = (columns: VisitColumns, stream: number) => ({
    ...columns,
    demographics: plantedFacts(columns, stream),
  });
  return {
    vocabulary: planted().vocabulary,
    train: withFacts(plantedColumns(patients, 0), 0),
    validation: withFacts(plantedColumns(patients >> 1, 1), 1),
  };
};

/** The same, with the codes that 0 and 1 bring as drugs. */
export const plantedDrugs = (): TrainingData => {
  const { vocabulary, ...rest } = planted();
  const codes = vocabulary.codes.map((code, i) => ({
    ...code,
    modality: i >= 2 && i < 6 ? ('rx' as const) : code.modality,
  }));
  return { ...rest, vocabulary: { ...vocabulary, codes } };
};

/** Settings that make a generator small enough for a test; one left out is tested as it is. */
export const quickSettings: Record<string, unknown> = {
  halo: {
    layers: 1,
    heads: 2,
    embedding: 16,
    learningRate: 0.003,
    epochs: 100,
    batch: 16,
    start: 'random',
  },
  'halo-coarse': {
    layers: 1,
    heads: 2,
    embedding: 16,
    learningRate: 0.003,
    epochs: 100,
    batch: 16,
    start: 'random',
  },
  lstm: { layers: 2, width: 16, learningRate: 0.01, epochs: 100, batch: 16, dropout: 0.1, start: 'random' },
  promptehr: {
    width: 16,
    encoderLayers: 1,
    decoderLayers: 1,
    attentionHeads: 2,
    feed: 16,
    promptHidden: 4,
    learningRate: 0.02,
    epochs: 20,
    batch: 40,
    start: 'random',
  },
};
