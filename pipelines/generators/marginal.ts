/**
 * Independent marginals: every code of a visit is a coin of its own, with the share of training visits that
 * have it; so is every label; each demographic fact has its own marginal; the number of visits is drawn from
 * the training records. No reference: it is the baseline that any model must beat: it has every prevalence
 * right and no dependence between codes.
 */
import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import type { Vocabulary } from '../../schemas/vocabulary.ts';
import {
  type FactChoice,
  factChoice,
  factSettings,
  factSizes,
  factsJson,
  type LearnedFacts,
  learnedFacts,
  learnFacts,
  samplerWithFacts,
  withFactColumns,
} from '../generation/fact-columns.ts';
import {
  type ConditionalScores,
  defineGenerator,
  drawnLabel,
  type Fitting,
  type Imputation,
  type ImputeRequest,
  type PatientScores,
  type SampleRequest,
  type Sampler,
  type StepReport,
  type TrainingData,
} from '../generation/generator.ts';
import type { NamedArray, Saved } from '../kernel/checkpointable.ts';
import { RandomSource } from '../kernel/random.ts';
import type { AsyncSteps } from '../kernel/steps.ts';
import {
  lengthHistogram,
  patientCount,
  type VisitColumns,
  VisitColumnsBuilder,
} from '../patients/visit-columns.ts';
import { conditionalByMarginals, countCodes } from './marginal/conditional.ts';
import { imputeByMarginals } from './marginal/impute.ts';
import { factRanges, type Marginals, scoreByMarginals } from './marginal/score.ts';

const fitMarginals = ({ vocabulary, train }: TrainingData, facts: readonly number[]): Marginals => {
  const patients = patientCount(train);
  const labels = new Float64Array(vocabulary.labels.length);
  train.labels.forEach((label, i) => {
    labels[i % labels.length] = (labels[i % labels.length] as number) + label;
  });
  const shares = labels.map((count) => count / patients);
  for (const [from, to] of factRanges(facts).ranges)
    for (let column = from, left = patients; column < to; column++) {
      const count = labels[column] as number;
      shares[column] = count / left;
      left -= count;
    }
  const { counts } = lengthHistogram(train.visitOffsets);
  let upTo = 0;
  const visitsUpTo = counts.map((count) => {
    upTo += count;
    return upTo / patients;
  });
  return {
    ...countCodes(train, vocabulary.codes.length),
    labels: shares,
    visitsUpTo,
  };
};

/** Mean binary cross-entropy per cell of a visit: what any model pays that knows the prevalences alone. */
const entropy = (shares: Float64Array): number => {
  const term = (share: number) => (share > 0 ? -share * Math.log(share) : 0);
  return shares.reduce((sum, share) => sum + term(share) + term(1 - share), 0) / Math.max(1, shares.length);
};

const saveMarginals = (marginals: Marginals): Record<string, NamedArray> =>
  Object.fromEntries(Object.entries(marginals).map(([name, data]) => [name, { shape: [data.length], data }]));

const loadMarginals = ({ arrays }: Saved): Marginals => {
  const find = (name: keyof Marginals): Float64Array => {
    const data = arrays[name]?.data;
    if (data instanceof Float64Array) return data;
    throw new StageError('ArtifactCorrupt', `marginal: the model lacks its array ${name}`);
  };
  return {
    codes: find('codes'),
    labels: find('labels'),
    visitsUpTo: find('visitsUpTo'),
    visits: find('visits'),
  };
};

/** Counting is one step. Before it, the model knows nothing and draws records without visits. */
class MarginalFitting implements Fitting {
  readonly steps = 1;
  readonly settings: Record<string, unknown>;
  readonly facts: Record<string, number>;
  readonly #data: TrainingData;
  readonly #learned: LearnedFacts;
  #marginals: Marginals;
  #counted = false;

  constructor(given: TrainingData, choice: FactChoice | undefined) {
    if (patientCount(given.train) === 0)
      throw new StageError('TooFewPatients', 'marginal: the training split has no patients');
    this.#learned = learnFacts('marginal', given.train, choice);
    this.settings = { demographics: factSettings(this.#learned) };
    this.#data = withFactColumns(given, this.#learned);
    const { codes, labels } = this.#data.vocabulary;
    this.#marginals = {
      codes: new Float64Array(codes.length),
      labels: new Float64Array(labels.length),
      visitsUpTo: Float64Array.of(1),
      visits: Float64Array.of(1),
    };
    this.facts = { parameters: codes.length + labels.length };
  }

  get finished(): boolean {
    return this.#counted;
  }
  async step(): Promise<StepReport> {
    this.#marginals = fitMarginals(this.#data, factSizes(this.#learned) ?? []);
    this.#counted = true;
    return { loss: entropy(this.#marginals.codes), epoch: 1 };
  }
  save(): Saved {
    return { arrays: saveMarginals(this.#marginals), json: { counted: this.#counted } };
  }
  load(saved: Saved): void {
    this.#marginals = loadMarginals(saved);
    this.#counted = saved.json['counted'] === true;
  }
  async model(): Promise<Saved> {
    return { arrays: saveMarginals(this.#marginals), json: factsJson(this.#learned) };
  }
  dispose(): void {}
}

/** Addresses of a patient's uniforms: row 0 the number of visits, row 1 the labels, row 2 on the visits. */
class MarginalSampler implements Sampler {
  readonly #marginals: Marginals;
  readonly #vocabulary: Vocabulary;
  readonly #facts: readonly number[];

  /** `facts`: how many of the first labels are columns of each fact. */
  constructor(marginals: Marginals, vocabulary: Vocabulary, facts: readonly number[]) {
    this.#marginals = marginals;
    this.#vocabulary = vocabulary;
    this.#facts = facts;
  }

  async sample({ first, count, seed, labels: given }: SampleRequest): Promise<VisitColumns> {
    const { codes, labels, visitsUpTo } = this.#marginals;
    const random = new RandomSource(seed, 'patients');
    const builder = new VisitColumnsBuilder();
    const { ranges } = factRanges(this.#facts);
    const uniforms = new Float64Array(Math.max(codes.length, labels.length, 1));
    const draw = (shares: Float64Array, patient: number, row: number): number[] => {
      random.fill(uniforms, 0, shares.length, patient, row);
      return [...shares.keys()].filter((i) => (uniforms[i] as number) < (shares[i] as number));
    };
    for (let i = 0; i < count; i++) {
      const patient = first + i;
      random.fill(uniforms, 0, 1, patient, 0);
      const u = uniforms[0] as number;
      const length = visitsUpTo.findIndex((share) => u < share);
      const visits = Array.from({ length }, (_, visit) => draw(codes, patient, visit + 2));
      const present = new Uint8Array(labels.length);
      for (const label of draw(labels, patient, 1)) present[label] = 1;
      for (const [from, to] of ranges) {
        const chosen = present.subarray(from, to).indexOf(1);
        if (chosen >= 0) present.fill(0, from + chosen + 1, to);
      }
      const asked = given?.subarray(i * labels.length, (i + 1) * labels.length);
      builder.addPatient(
        visits,
        present.map((label, k) => (asked && asked[k] !== drawnLabel ? (asked[k] as number) : label)),
      );
    }
    return builder.build();
  }
  score(columns: VisitColumns): AsyncSteps<PatientScores> {
    return scoreByMarginals(this.#marginals, columns, this.#facts);
  }
  conditional(columns: VisitColumns): AsyncSteps<ConditionalScores> {
    return conditionalByMarginals(this.#marginals, this.#vocabulary, columns);
  }
  impute(request: ImputeRequest): AsyncSteps<Imputation> {
    return imputeByMarginals(this.#marginals, this.#vocabulary, request);
  }
  dispose(): void {}
}

export default defineGenerator({
  name: 'marginal',
  title: 'Independent marginals: the baseline',
  paper: 'None: each code by its own prevalence, independent of all others',
  version: 3,
  baseline: true,
  config: z.strictObject({ demographics: factChoice }),
  capabilities: ['labels', 'demographics', 'score', 'conditional', 'impute'],
  fit: async (data, { demographics }) => new MarginalFitting(data, demographics),
  open: async (saved, _config, vocabulary) => {
    const facts = learnedFacts.parse(saved.json['facts']);
    const sampler = new MarginalSampler(loadMarginals(saved), vocabulary, factSizes(facts) ?? []);
    return samplerWithFacts('marginal', sampler, facts, vocabulary.labels.length);
  },
});
