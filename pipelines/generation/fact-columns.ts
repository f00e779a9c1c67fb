/**
 * Demographics as columns of the label visit (HALO, "Matrix representation": the label visit has codes for
 * gender, racial and ethnic groups, birth year and chronic labels). Each fact is a few columns in front of
 * the labels, of which a patient has at most one: a column per level, or per range of a number. None of them
 * is an unknown fact.
 *
 * Nothing here is about few patients: a level that fewer than `smallestGroup` training patients have is
 * unknown, every range holds as many, and the outer ends are means (pipelines/tokens/value-buckets.ts).
 */
import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import { noSuchName } from '../kernel/names.ts';
import { RandomSource } from '../kernel/random.ts';
import { type Demographic, patientCount, type VisitColumns, withVisits } from '../patients/visit-columns.ts';
import { Buckets, fitBuckets } from '../tokens/value-buckets.ts';
import { drawnLabel, type SampleRequest, type Sampler, type TrainingData } from './generator.ts';
import { numberIn } from './sample-values.ts';

/** Groups of fewer training patients leave no trace in what a model stores about the training split. */
export const smallestGroup = 10;

/** Most ranges of a number: coarse, as each column more is something to memorize a patient by. */
const mostRanges = 8;

const fact = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('categorical'), name: z.string(), levels: z.array(z.string()).min(1) }),
  z.object({
    kind: z.literal('numeric'),
    name: z.string(),
    edges: z.array(z.int()).min(2).describe('of the ranges, in steps of 10^-decimals; ascending'),
    decimals: z.int().nonnegative(),
  }),
]);
type Fact = z.output<typeof fact>;

/**
 * Facts that a model has learned, in the order of their columns; absent from a model's json where there are
 * none.
 */
export const learnedFacts = z.array(fact).default([]);
export type LearnedFacts = readonly Fact[];

/** Their part of a model's json. */
export const factsJson = (facts: LearnedFacts): { facts?: Fact[] } =>
  facts.length > 0 ? { facts: [...facts] } : {};

/** Which facts a generator learns: all of the cohort, none, or those named. */
export const factChoice = z
  .union([z.boolean(), z.array(z.string()).min(1)])
  .optional()
  .describe(
    'facts of patients that are learned and sampled, such as [sex, age]: all (true, the default), none (false), or those named',
  );
export type FactChoice = NonNullable<z.output<typeof factChoice>>;

/** Steps of the precision that the middle nine tenths of a fact's numbers span, at least. */
const fewestSteps = 20;

/**
 * Numbers cut to as few decimals as leave so many steps: ages become whole years, so that the border between
 * two ranges, which is a number that some patient has, is no one's age in days.
 */
const coarse = (values: Float32Array): Float32Array => {
  const sorted = values.toSorted();
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  const spread = at(0.95) - at(0.05);
  const decimals = [0, 1, 2].find((digits) => spread * 10 ** digits >= fewestSteps);
  return decimals === undefined
    ? values
    : values.map((value) => Math.floor(value * 10 ** decimals) / 10 ** decimals);
};

const learnFact = (name: string, given: Demographic, patients: Int32Array): Fact[] => {
  if (given.kind === 'categorical') {
    const counts = new Int32Array(given.levels.length);
    for (const patient of patients) {
      const level = given.values[patient] as number;
      if (level >= 0) counts[level] = (counts[level] as number) + 1;
    }
    const levels = given.levels.filter((_, level) => (counts[level] as number) >= smallestGroup);
    return levels.length > 0 ? [{ kind: 'categorical', name, levels }] : [];
  }
  const known = patients.filter((patient) => Number.isFinite(given.values[patient] as number));
  const values = coarse(Float32Array.from(known, (patient) => given.values[patient] as number));
  const buckets = fitBuckets(
    { values, patients: known },
    { count: mostRanges, leastPatients: smallestGroup, leastVisits: smallestGroup, trim: 0.01 },
  );
  if (!buckets) return [];
  const { decimals } = buckets;
  const steps = (value: number) => Math.round(value * 10 ** decimals);
  const edges = Array.from({ length: buckets.count }, (_, i) => steps(buckets.range(i).high));
  return [{ kind: 'numeric', name, edges: [steps(buckets.range(0).low), ...edges], decimals }];
};

/**
 * Levels and ranges of the training patients with a visit. Throws InvalidConfig for a name that the cohort
 * does not have.
 */
export const learnFacts = (
  generator: string,
  train: VisitColumns,
  choice: FactChoice = true,
): LearnedFacts => {
  const there = train.demographics ?? {};
  if (choice === false) return [];
  const names = Object.keys(there);
  for (const name of choice === true ? [] : choice)
    if (!names.includes(name))
      throw new StageError(
        'InvalidConfig',
        `${generator}: config.demographics: ${noSuchName('fact of the cohort’s patients', name, names)}`,
      );
  const patients = withVisits(train);
  return Object.entries(there)
    .filter(([name]) => choice === true || choice.includes(name))
    .flatMap(([name, given]) => learnFact(name, given, patients));
};

const columnsOf = (own: Fact): number =>
  (own.kind === 'categorical' ? own.levels : own.edges.slice(1)).length;

/**
 * How many columns each fact has; undefined where there is no fact, so that a model without any has no such
 * key.
 */
export const factSizes = (facts: LearnedFacts): number[] | undefined =>
  facts.length > 0 ? facts.map(columnsOf) : undefined;

const widthOf = (facts: LearnedFacts): number => facts.reduce((sum, own) => sum + columnsOf(own), 0);

/** `18 to 43`: both ends can occur. */
const rangeNames = ({ edges, decimals }: Extract<Fact, { kind: 'numeric' }>): string[] =>
  edges.slice(1).map((high, i) => {
    const at = (steps: number) => (steps / 10 ** decimals).toFixed(decimals);
    return `${at(edges[i] as number)} to ${at(high - 1)}`;
  });

const columnNames = (own: Fact): string[] => (own.kind === 'categorical' ? own.levels : rangeNames(own));

/** Facts as a model card has them: name → levels or ranges. */
export const factSettings = (facts: LearnedFacts): Record<string, string[]> =>
  Object.fromEntries(facts.map((own) => [own.name, columnNames(own)]));

const bucketsOf = ({ edges, decimals }: Extract<Fact, { kind: 'numeric' }>): Buckets =>
  new Buckets(edges, decimals);

const wrong = (message: string): StageError => new StageError('InvalidConfig', message);

/** Patient → column of the fact, counted inside it; -1: unknown, or a level that the model does not have. */
const columnOf = (own: Fact, given: Demographic | undefined): ((patient: number) => number) => {
  if (!given) return () => -1;
  if (own.kind === 'categorical' && given.kind === 'categorical') {
    const columns = given.levels.map((level) => own.levels.indexOf(level));
    return (patient) => columns[given.values[patient] as number] ?? -1;
  }
  if (own.kind === 'numeric' && given.kind === 'numeric') {
    const buckets = bucketsOf(own);
    return (patient) => {
      const value = given.values[patient] as number;
      return Number.isFinite(value) ? buckets.of(value) : -1;
    };
  }
  throw wrong(`${own.name} was ${own.kind} when the model was trained, and is ${given.kind} here`);
};

/** Columns whose labels are preceded by those of the facts: `[patients, fact columns + labels]`. */
const widened = (columns: VisitColumns, facts: LearnedFacts, labels: number): VisitColumns => {
  if (facts.length === 0) return columns;
  const patients = patientCount(columns);
  const width = widthOf(facts);
  const wide = new Uint8Array(patients * (width + labels));
  let at = 0;
  for (const own of facts) {
    const column = columnOf(own, columns.demographics?.[own.name]);
    for (let patient = 0; patient < patients; patient++) {
      const found = column(patient);
      if (found >= 0) wide[patient * (width + labels) + at + found] = 1;
    }
    at += columnsOf(own);
  }
  for (let patient = 0; patient < patients; patient++)
    wide.set(
      columns.labels.subarray(patient * labels, (patient + 1) * labels),
      patient * (width + labels) + width,
    );
  return { ...columns, labels: wide };
};

/** What a network learns from: the facts are labels in front of the others. */
export const withFactColumns = (data: TrainingData, facts: LearnedFacts): TrainingData => {
  if (facts.length === 0) return data;
  const { vocabulary, train, validation } = data;
  const { length } = vocabulary.labels;
  const names = facts.flatMap((own) => columnNames(own).map((column) => `${own.name}: ${column}`));
  return {
    vocabulary: { ...vocabulary, labels: [...names, ...vocabulary.labels] },
    train: widened(train, facts, length),
    validation: widened(validation, facts, length),
  };
};

/**
 * Facts of a training that starts from a model: the model's, as its columns are what its weights know. Throws
 * InvalidConfig where the config asks for others, or where the cohort lacks one.
 */
export const adoptedFacts = (
  generator: string,
  theirs: LearnedFacts,
  train: VisitColumns,
  choice: FactChoice = true,
): LearnedFacts => {
  const names = theirs.map(({ name }) => name);
  const list = names.join(', ') || 'none';
  const asked = choice === false ? [] : choice;
  if (asked !== true && [...asked].sort().join() !== [...names].sort().join())
    throw wrong(
      `${generator}: config.demographics asks for ${asked.join(', ') || 'none'}, and the model it is to start from has ` +
        `${list}; leave the key out to take the model's`,
    );
  const there = Object.keys(train.demographics ?? {});
  const absent = names.filter((name) => !there.includes(name));
  if (absent.length > 0)
    throw wrong(
      `${generator}: the model it is to start from has the demographics ${list}, and the cohort lacks ${absent.join(', ')}; ` +
        'start from a model without them',
    );
  return theirs;
};

/** What is asked of one fact: its column per patient, -1 for the model to sample. */
const askedColumn = (own: Fact, given: Demographic, generator: string): ((i: number) => number) => {
  const key = `${generator}: demographics.${own.name}`;
  if (own.kind !== given.kind)
    throw wrong(
      `${key}: expected ${own.kind === 'numeric' ? 'a number' : `one of ${own.levels.join(', ')}`}, ` +
        `found ${given.kind === 'numeric' ? 'a number' : 'a level'}`,
    );
  const column = columnOf(own, given);
  return (i) => {
    const found = column(i);
    if (found < 0 && given.kind === 'categorical' && (given.values[i] as number) >= 0)
      throw wrong(
        `${key}: ${noSuchName('level', given.levels[given.values[i] as number] as string, columnNames(own))} ` +
          `(levels of fewer than ${smallestGroup} training patients are not learned)`,
      );
    return found;
  };
};

/** `[count, fact columns + labels]` of a request; undefined where nothing is asked. */
const wideRequest = (
  generator: string,
  facts: LearnedFacts,
  labelCount: number,
  { count, labels, demographics = {} }: SampleRequest,
): Uint8Array | undefined => {
  const names = facts.map(({ name }) => name);
  for (const name of Object.keys(demographics))
    if (!names.includes(name))
      throw wrong(
        `${generator}: demographics.${name}: ${noSuchName('fact that the model has learned', name, names)}`,
      );
  if (facts.length === 0 || (!labels && Object.keys(demographics).length === 0)) return labels;
  const width = widthOf(facts);
  const row = width + labelCount;
  const wide = new Uint8Array(count * row).fill(drawnLabel);
  let at = 0;
  for (const own of facts) {
    const columns = columnsOf(own);
    const given = demographics[own.name];
    const column = given ? askedColumn(own, given, generator) : () => -1;
    for (let i = 0; i < count; i++) {
      const asked = column(i);
      if (asked < 0) continue;
      wide.fill(0, i * row + at, i * row + at + columns);
      wide[i * row + at + asked] = 1;
    }
    at += columns;
  }
  if (labels)
    for (let i = 0; i < count; i++)
      wide.set(labels.subarray(i * labelCount, (i + 1) * labelCount), i * row + width);
  return wide;
};

/** Uniforms of the numbers lie where no visit of a patient has its own. */
const factRow = 2 ** 32 - 1;

/**
 * One fact of sampled patients: what was asked where something was, and a number of the range where one was
 * sampled.
 */
const sampledFact = (
  own: Fact,
  column: Int32Array,
  asked: Demographic | undefined,
  uniform: (i: number) => number,
): Demographic => {
  if (own.kind === 'categorical') return { kind: 'categorical', levels: own.levels, values: column };
  const buckets = bucketsOf(own);
  const { decimals } = own;
  const values = Float32Array.from(column, (found, i) => {
    const given = asked?.values[i] ?? Number.NaN;
    if (found < 0 || !Number.isNaN(given)) return given;
    return numberIn({ ...buckets.range(found), decimals }, uniform(i));
  });
  return { kind: 'numeric', values };
};

/** Sampled patients with the facts as demographics, and without them among the labels. */
const narrowed = (
  columns: VisitColumns,
  facts: LearnedFacts,
  labelCount: number,
  { first, seed, demographics }: SampleRequest,
): VisitColumns => {
  if (facts.length === 0) return columns;
  const patients = patientCount(columns);
  const width = widthOf(facts);
  const row = width + labelCount;
  const labels = new Uint8Array(patients * labelCount);
  const uniforms = new Float64Array(patients * facts.length);
  const random = new RandomSource(seed, 'values');
  const own = new Float64Array(facts.length);
  for (let i = 0; i < patients; i++) {
    labels.set(columns.labels.subarray(i * row + width, (i + 1) * row), i * labelCount);
    random.fill(own, 0, facts.length, first + i, factRow);
    uniforms.set(own, i * facts.length);
  }
  const sampled: Record<string, Demographic> = {};
  let at = 0;
  for (const [f, learned] of facts.entries()) {
    const [from, to] = [at, at + columnsOf(learned)];
    const column = Int32Array.from({ length: patients }, (_, i) =>
      columns.labels.subarray(i * row + from, i * row + to).indexOf(1),
    );
    sampled[learned.name] = sampledFact(
      learned,
      column,
      demographics?.[learned.name],
      (i) => uniforms[i * facts.length + f] as number,
    );
    at = to;
  }
  return { ...columns, labels, demographics: sampled };
};

/**
 * Demographics for a sampler whose first label columns are these facts: it takes them in requests and scores,
 * and gives them with its patients. `labels` is how many labels the vocabulary has. A fact or level that the
 * model has not learned is an InvalidConfig that names what it has. The probability of a number is that of
 * its range.
 */
export const samplerWithFacts = (
  generator: string,
  sampler: Sampler,
  facts: LearnedFacts,
  labels: number,
): Sampler => {
  const score = sampler.score?.bind(sampler);
  return {
    features: Object.fromEntries(
      facts.map((own) => [own.name, own.kind === 'numeric' ? 'numeric' : own.levels]),
    ),
    block: sampler.block,
    sample: async (request) => {
      const { demographics: _, ...rest } = request;
      const wide = wideRequest(generator, facts, labels, request);
      return narrowed(await sampler.sample({ ...rest, labels: wide }), facts, labels, request);
    },
    score: score && ((columns) => score(widened(columns, facts, labels))),
    conditional: sampler.conditional?.bind(sampler),
    impute: sampler.impute?.bind(sampler),
    dispose: () => sampler.dispose(),
  };
};
