import { StageError } from '../../schemas/errors.ts';
import type { StageParams } from '../../schemas/stage.ts';
import type { generate } from '../../schemas/stages/generate.ts';
import {
  type Demographic,
  patientCount,
  selectPatients,
  type TokenCohort,
  type VisitColumns,
} from '../patients/visit-columns.ts';
import { drawnLabel, type Generator, generatorDrawing, type SampleRequest } from './generator.ts';

/** What a generation asks of a generator; the stage's own parameters. */
export type Asked = Pick<
  StageParams<typeof generate>,
  'seed' | 'seedMode' | 'labels' | 'demographics' | 'drawing'
>;

const invalid = (message: string): StageError => new StageError('InvalidConfig', message);

const listed = (names: readonly string[]): string =>
  names.length === 0 ? 'there are none' : `there are: ${names.join(', ')}`;

/** Throws InvalidConfig where demographics or real patients as seeds are asked of a generator that heeds no such thing. */
export const checkHeeds = (
  { name, heeds = [] }: Generator,
  { seedMode, labels, demographics }: Pick<Asked, 'seedMode' | 'labels' | 'demographics'>,
): void => {
  if (seedMode === 'warm' && Object.keys({ ...labels, ...demographics }).length > 0)
    throw invalid(
      'generate.seedMode: warm takes labels and demographics from the real patients; ask for neither, or leave it cold',
    );
  if (seedMode === 'warm' && !heeds.includes('seeds'))
    throw invalid(`generate.seedMode: ${name} cannot build around real patients; leave it cold`);
  const [asked] = Object.keys(demographics);
  if (asked !== undefined && !heeds.includes('demographics'))
    throw invalid(`generate.demographics.${asked}: ${name} knows no demographics; leave them out`);
};

/** `[labels]` with `drawnLabel` where nothing is asked; absent where nothing is asked at all. */
const fixedLabels = (asked: Asked['labels'], names: readonly string[]): Uint8Array | undefined => {
  if (Object.keys(asked).length === 0) return undefined;
  const row = new Uint8Array(names.length).fill(drawnLabel);
  for (const [name, value] of Object.entries(asked)) {
    const index = names.indexOf(name);
    if (index < 0)
      throw invalid(`generate.labels: no label is called ${JSON.stringify(name)}; ${listed(names)}`);
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
  if (!fact) throw invalid(`${key}: the cohort has no such fact; ${listed(known)}`);
  if (fact.kind === 'numeric') {
    if (typeof asked === 'number') return { kind: 'numeric', value: asked };
    throw invalid(`${key}: expected a number, found ${JSON.stringify(asked)}`);
  }
  const value = fact.levels.indexOf(String(asked));
  if (value >= 0) return { kind: 'categorical', levels: fact.levels, value };
  throw invalid(`${key}: no patient has ${JSON.stringify(asked)}; ${listed(fact.levels)}`);
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
 * known, or where the generator heeds no such thing; TooFewPatients where there is nobody to build around.
 */
export const sampleRequests = (
  generator: Generator,
  asked: Asked,
  cohort: Pick<TokenCohort, 'vocabulary' | 'demographics'>,
  training: VisitColumns,
): ((first: number, count: number) => SampleRequest) => {
  checkHeeds(generator, asked);
  const drawing = generatorDrawing(generator, asked.drawing);
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
    ...(generator.drawing && { drawing }),
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
