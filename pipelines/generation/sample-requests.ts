import { StageError } from '../../schemas/errors.ts';
import type { StageParams } from '../../schemas/stage.ts';
import type { generate } from '../../schemas/stages/generate.ts';
import { noSuchName } from '../kernel/names.ts';
import {
  type Demographic,
  patientCount,
  selectPatients,
  type TokenCohort,
  type VisitColumns,
} from '../patients/visit-columns.ts';
import {
  type Capability,
  drawnLabel,
  type Generator,
  generatorSampling,
  type SampleRequest,
} from './generator.ts';

/** What a generation asks of a generator; the stage's own parameters. */
export type Asked = Pick<
  StageParams<typeof generate>,
  'seed' | 'seedMode' | 'labels' | 'demographics' | 'sampling'
>;

const invalid = (message: string): StageError => new StageError('InvalidConfig', message);

/**
 * Throws InvalidConfig where labels, demographics or real patients as seeds are asked of a generator without that
 * capability. Needs no model, so a plan is checked by it too.
 */
export const checkAsked = (
  { name, capabilities }: Pick<Generator, 'name' | 'capabilities'>,
  { seedMode, labels, demographics }: Pick<Asked, 'seedMode' | 'labels' | 'demographics'>,
): void => {
  if (seedMode === 'warm' && Object.keys({ ...labels, ...demographics }).length > 0)
    throw invalid(
      'generate.seedMode: warm takes labels and demographics from the real patients; ask for neither, or leave it cold',
    );
  const refuse = (capability: Capability, key: string, problem: string) => {
    if (!capabilities.some((own) => own === capability)) throw invalid(`generate.${key}: ${name} ${problem}`);
  };
  if (seedMode === 'warm') refuse('seeds', 'seedMode', 'cannot build around real patients; leave it cold');
  for (const label of Object.keys(labels))
    refuse('labels', `labels.${label}`, 'cannot be asked for labels; leave them out');
  for (const fact of Object.keys(demographics))
    refuse('demographics', `demographics.${fact}`, 'knows no demographics; leave them out');
};

/** `[labels]` with `drawnLabel` where nothing is asked; undefined where nothing is asked at all. */
const fixedLabels = (asked: Asked['labels'], names: readonly string[]): Uint8Array | undefined => {
  if (Object.keys(asked).length === 0) return undefined;
  const row = new Uint8Array(names.length).fill(drawnLabel);
  for (const [name, value] of Object.entries(asked)) {
    const index = names.indexOf(name);
    if (index < 0) throw invalid(`generate.labels: ${noSuchName('label', name, names)}`);
    row[index] = value;
  }
  return row;
};

type Fixed = { kind: 'numeric'; value: number } | { kind: 'categorical'; levels: string[]; value: number };

const fixedFact = (
  name: string,
  asked: string | number,
  fact: Demographic | undefined,
  known: string[],
): Fixed => {
  const key = `generate.demographics.${name}`;
  if (!fact) throw invalid(`${key}: ${noSuchName('fact of the cohort’s patients', name, known)}`);
  if (fact.kind === 'numeric') {
    if (typeof asked === 'number') return { kind: 'numeric', value: asked };
    throw invalid(`${key}: expected a number, found ${JSON.stringify(asked)}`);
  }
  const value = fact.levels.indexOf(String(asked));
  if (value >= 0) return { kind: 'categorical', levels: fact.levels, value };
  throw invalid(`${key}: ${noSuchName('level', String(asked), fact.levels)}`);
};

const repeated = (fixed: Fixed, count: number): Demographic =>
  fixed.kind === 'numeric'
    ? { kind: 'numeric', values: new Float32Array(count).fill(fixed.value) }
    : { kind: 'categorical', levels: fixed.levels, values: new Int32Array(count).fill(fixed.value) };

const repeatedRow = (row: Uint8Array, count: number): Uint8Array => {
  const all = new Uint8Array(row.length * count);
  for (let i = 0; i < count; i++) all.set(row, i * row.length);
  return all;
};

/**
 * What to ask a generator for, batch by batch: the same labels and demographics for every patient, and for `warm` the
 * training patient of the same index, counted around. Throws InvalidConfig naming what exists where a name is not
 * known, or where the generator lacks the capability; TooFewPatients where there are no patients to build around.
 */
export const sampleRequests = (
  generator: Generator,
  asked: Asked,
  cohort: Pick<TokenCohort, 'vocabulary' | 'demographics'>,
  training: VisitColumns,
): ((first: number, count: number) => SampleRequest) => {
  checkAsked(generator, asked);
  const sampling = generatorSampling(generator, asked.sampling);
  const labels = fixedLabels(asked.labels, cohort.vocabulary.labels);
  const known = cohort.demographics ?? {};
  const facts = Object.entries(asked.demographics).map(
    ([name, value]) => [name, fixedFact(name, value, known[name], Object.keys(known))] as const,
  );
  const real = patientCount(training);
  if (asked.seedMode === 'warm' && real === 0)
    throw new StageError('TooFewPatients', 'generate.seedMode: warm, but there are no training patients');
  return (first, count) => ({
    first,
    count,
    seed: asked.seed,
    ...(generator.sampling && { sampling }),
    ...(labels && { labels: repeatedRow(labels, count) }),
    ...(facts.length > 0 && {
      demographics: Object.fromEntries(facts.map(([name, fixed]) => [name, repeated(fixed, count)])),
    }),
    ...(asked.seedMode === 'warm' && {
      seeds: selectPatients(
        training,
        Array.from({ length: count }, (_, i) => (first + i) % real),
      ),
    }),
  });
};
