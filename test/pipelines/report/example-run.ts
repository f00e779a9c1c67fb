import { createHash } from 'node:crypto';
import { drainAsync } from '../../../pipelines/kernel/steps.ts';
import type { Metric } from '../../../pipelines/metrics/metric.ts';
import attributeInference from '../../../pipelines/metrics/privacy/attribute-inference.ts';
import copies from '../../../pipelines/metrics/privacy/copies.ts';
import identityDisclosure from '../../../pipelines/metrics/privacy/identity-disclosure.ts';
import membershipDensityRatio from '../../../pipelines/metrics/privacy/membership-density-ratio.ts';
import membershipNearest from '../../../pipelines/metrics/privacy/membership-nearest.ts';
import nearestNeighborAccuracy from '../../../pipelines/metrics/privacy/nearest-neighbor-accuracy.ts';
import strongestAttack from '../../../pipelines/metrics/privacy/strongest-attack.ts';
import { scoreCohort } from '../../../pipelines/metrics/score-cohort.ts';
import codePairs from '../../../pipelines/metrics/similarity/code-pairs.ts';
import codePrevalence from '../../../pipelines/metrics/similarity/code-prevalence.ts';
import codesPerVisit from '../../../pipelines/metrics/similarity/codes-per-visit.ts';
import labelPrevalence from '../../../pipelines/metrics/similarity/label-prevalence.ts';
import sequentialPairs from '../../../pipelines/metrics/similarity/sequential-pairs.ts';
import visitsPerRecord from '../../../pipelines/metrics/similarity/visits-per-record.ts';
import type { VisitColumns } from '../../../pipelines/patients/visit-columns.ts';
import type { LineageStep, ReportInput } from '../../../pipelines/report/report-data.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import { columnsOf, noPatients } from '../../helpers/patients.ts';
import { golden, type Patient } from '../metrics/golden-cohorts.ts';
import { utilityCard } from './example-utility.ts';

const similarity: Metric[] = [
  codePrevalence,
  codePairs,
  sequentialPairs,
  visitsPerRecord,
  codesPerVisit,
  labelPrevalence,
];

const { code_vocab, label_names } = golden<{ code_vocab: string[]; label_names: string[] }>(
  'demo_cohort.json',
);

/** 120 codes of three modalities; one has a title that tries to break out of the page. */
export const exampleVocabulary: Vocabulary = {
  codes: Array.from({ length: 120 }, (_, token) => ({
    modality: (['dx', 'dx', 'rx', 'px'] as const)[token % 4] ?? 'dx',
    code: code_vocab[token * 3] ?? String(token),
    title: token === 3 ? '</script><img src=x onerror=alert(1)> & "quotes"' : `Condition number ${token}`,
  })),
  labels: label_names.slice(0, 5),
};

const split = golden<Record<'train' | 'test', Patient[]>>('split.json');
const other = golden<Patient[]>('cohort_b.json').slice(0, 300);

/** Codes dealt out again among all visits: single codes stay, pairs are lost. What the baseline does. */
const dealt = (patients: Patient[]): Patient[] => {
  const codes = patients.flatMap((patient) => patient.visits.flat());
  let next = 0;
  return patients.map(({ visits, labels }) => ({
    labels,
    visits: visits.map((visit) => visit.map(() => codes[(next++ * 37) % codes.length] as number)),
  }));
};

/** Real patients with the given share of them exchanged for dealt ones: a model between baseline and real. */
const blend = (share: number): Patient[] =>
  dealt(other).map((patient, i) => ((i * 13) % 100 < share * 100 ? patient : (split.train[i] ?? patient)));

const curveOf = (epochs: number) =>
  Array.from({ length: epochs }, (_, epoch) => ({
    step: (epoch + 1) * 7,
    epoch,
    batches: 7,
    loss: 0.04 + Math.exp(-epoch / 12) + 0.02 * Math.sin(epoch * 1.7),
    ...(epoch % 5 === 4 ? { validationLoss: 0.09 + Math.exp(-epoch / 11) + epoch / 1200 } : {}),
  }));

const step = (stage: string, title: string, kind: string, inputs: LineageStep[]): LineageStep => ({
  title,
  stage,
  version: 1,
  kind,
  digest: createHash('sha256').update(title).digest('hex'),
  params: stage === 'train' ? { generator: title.split(' ')[1], config: { layers: 4 }, seed: 0 } : {},
  inputs: inputs.map(({ digest }) => digest),
  ...(inputs.length === 0 ? { fingerprint: 'f'.repeat(64) } : {}),
  code: 'c0de'.repeat(16),
  engine: 'libtensorflow 2.21.0, linux-x64, cpu',
});

const lineageOf = (generators: string[]): LineageStep[] => {
  const events = step('extract', 'extract', 'events', []);
  const cohort = step('assemble', 'assemble', 'cohort', [events]);
  const tokens = step('tokenize', 'tokenize', 'token-cohort', [cohort]);
  return [
    events,
    cohort,
    tokens,
    ...generators.flatMap((name) => {
      const model = step('train', `train ${name}`, 'model', [tokens]);
      const synthetic = step('generate', `generate ${name}`, 'token-cohort', [model, tokens]);
      return [model, synthetic, step('similarity', `similarity ${name}`, 'scorecard', [tokens, synthetic])];
    }),
  ];
};

/** The real parties of the example, with and without the synthetic one. */
interface Parties {
  train: VisitColumns;
  synthetic: VisitColumns;
  holdout: VisitColumns;
}

const scored = (generator: string, parties: Parties, metrics: readonly Metric[], replicates = 0) =>
  drainAsync(
    scoreCohort({
      generator,
      vocabulary: exampleVocabulary,
      ...parties,
      validation: noPatients,
      metrics,
      seed: 0,
      replicates,
      suppressBelow: 0,
    }),
  );

const names = [
  'marginal',
  'halo',
  'promptehr',
  'synteg',
  'eva',
  'gpt',
  'lstm',
  'medgan',
  'corgan',
  'halo-coarse',
  'llmsyn',
];

/** The first is the baseline, the next copies most training patients, the others ever fewer. */
const partiesOf = (i: number): Parties => ({
  train: columnsOf(split.train),
  synthetic: columnsOf(i === 0 ? dealt(split.train) : blend(Math.min(0.9, 0.25 * i))),
  holdout: columnsOf(split.test),
});

const cardsOf = (metrics: readonly Metric[], replicates: number) =>
  Promise.all(
    names.map(async (generator, i) => {
      const { card, series } = await scored(generator, partiesOf(i), metrics, replicates);
      return { card: { ...card, baseline: i === 0 ? (true as const) : undefined }, series };
    }),
  );

const privacy: Metric[] = [
  attributeInference,
  copies,
  identityDisclosure,
  membershipDensityRatio,
  membershipNearest,
  nearestNeighborAccuracy,
  strongestAttack,
];
const scoredBySimilarity = await cardsOf(similarity, 0);
const cards = {
  similarity: scoredBySimilarity,
  utility: scoredBySimilarity.map(({ card }, i) => utilityCard(card, [0.02, 0.34, 0.2][i] ?? 0.1)),
  privacy: await cardsOf(privacy, 200),
};

/**
 * A run with a baseline and `models` models, the first ones better than the last, scored by some or all
 * families.
 */
export const exampleRun = (
  models: number,
  suppressBelow = 11,
  families: readonly (keyof typeof cards)[] = ['similarity', 'utility', 'privacy'],
): ReportInput => {
  const chosen = names.slice(0, models + 1);
  return {
    title: 'Nightly report',
    suppressBelow,
    vocabulary: exampleVocabulary,
    cards: families.flatMap((family) => cards[family].slice(0, chosen.length)),
    curves: chosen.map((generator, i) => ({ generator, curve: i === 0 ? [] : curveOf(60 * i) })),
    lineage: lineageOf(chosen),
  };
};

/** A run in which nothing reached a scorecard. */
export const emptyRun = (): ReportInput => ({
  title: 'Nothing came out',
  suppressBelow: 11,
  vocabulary: exampleVocabulary,
  cards: [],
  curves: [],
  lineage: lineageOf([]),
});

const one = columnsOf([{ visits: [[7]], labels: [0, 0, 0, 0, 0] }]);
const tinyCard = await scored('halo', { train: one, synthetic: one, holdout: noPatients }, [
  ...similarity,
  ...privacy,
]);

/** The smallest cohorts there are: one patient with one code on each side. */
export const tinyRun = (): ReportInput => ({ ...emptyRun(), title: 'One patient', cards: [tinyCard] });
