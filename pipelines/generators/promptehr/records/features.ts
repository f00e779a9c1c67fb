/**
 * Facts of a patient that become prompts (PromptEHR, section 3.2): numbers, levels, and labels as levels
 * absent/present. What they are scaled by and which levels there are is learned from the training split.
 */
import { z } from 'zod';
import { StageError } from '../../../../schemas/errors.ts';
import { smallestGroup } from '../../../generation/fact-columns.ts';
import type { TrainingData } from '../../../generation/generator.ts';
import type { Demographic, VisitColumns } from '../../../patients/visit-columns.ts';
import type { Prompts } from '../network/sequences.ts';

export const promptFeatures = z.object({
  numeric: z
    .array(z.object({ name: z.string(), mean: z.number(), deviation: z.number().positive() }))
    .describe('the prompt is (value - mean) / deviation'),
  categorical: z.array(z.object({ name: z.string(), levels: z.array(z.string()).min(1) })),
  labels: z
    .array(z.int().nonnegative())
    .describe(
      'labels of the vocabulary that are prompts, each of two levels; they follow the categorical ones',
    ),
});
export type PromptFeatures = z.output<typeof promptFeatures>;

/** Levels of each categorical prompt, as the network's `categories`. */
export const categoriesOf = ({ categorical, labels }: PromptFeatures): number[] => [
  ...categorical.map(({ levels }) => levels.length),
  ...labels.map(() => 2),
];

/** Which facts are to be prompts; `all` where the key is left out. */
export interface PromptChoice {
  numeric: 'all' | string[];
  categorical: 'all' | string[];
  labels: 'all' | string[];
}

const present = (values: Float32Array): Float32Array => values.filter((value) => !Number.isNaN(value));

const fitNumeric = (name: string, values: Float32Array): PromptFeatures['numeric'] => {
  const known = present(values);
  if (known.length < smallestGroup) return [];
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const variance = known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length;
  return variance > 0 ? [{ name, mean, deviation: Math.sqrt(variance) }] : [];
};

/** Levels that enough training patients have; a fact without any is no prompt. */
const fitCategorical = (
  name: string,
  fact: Extract<Demographic, { kind: 'categorical' }>,
): PromptFeatures['categorical'] => {
  const counts = fact.levels.map((_, level) => fact.values.filter((value) => value === level).length);
  const levels = fact.levels.filter((_, level) => (counts[level] as number) >= smallestGroup);
  return levels.length > 0 ? [{ name, levels }] : [];
};

const missing = (what: string, wanted: readonly string[], there: readonly string[]): void => {
  const unknown = wanted.filter((name) => !there.includes(name));
  if (unknown.length > 0)
    throw new StageError(
      'InvalidConfig',
      `promptehr: prompts.${what} names ${unknown.join(', ')}; the cohort has ${there.join(', ') || 'none'}`,
    );
};

/**
 * Learns scales and levels from the training split. Throws InvalidConfig for a name the cohort does not have.
 */
export const fitFeatures = (
  { train, vocabulary }: Pick<TrainingData, 'train' | 'vocabulary'>,
  choice: PromptChoice,
): PromptFeatures => {
  const facts = Object.entries(train.demographics ?? {});
  const namesOf = (kind: Demographic['kind']) =>
    facts.filter(([, fact]) => fact.kind === kind).map(([name]) => name);
  for (const kind of ['numeric', 'categorical'] as const)
    if (choice[kind] !== 'all') missing(kind, choice[kind], namesOf(kind));
  if (choice.labels !== 'all') missing('labels', choice.labels, vocabulary.labels);
  const wanted = (names: 'all' | string[], name: string) => names === 'all' || names.includes(name);
  return {
    numeric: facts.flatMap(([name, fact]) =>
      fact.kind === 'numeric' && wanted(choice.numeric, name) ? fitNumeric(name, fact.values) : [],
    ),
    categorical: facts.flatMap(([name, fact]) =>
      fact.kind === 'categorical' && wanted(choice.categorical, name) ? fitCategorical(name, fact) : [],
    ),
    labels: [...vocabulary.labels.keys()].filter((label) =>
      wanted(choice.labels, vocabulary.labels[label] as string),
    ),
  };
};

const factOf = <K extends Demographic['kind']>(
  columns: Facts,
  name: string,
  kind: K,
): Extract<Demographic, { kind: K }> | undefined => {
  const fact = columns.demographics?.[name];
  if (fact && fact.kind !== kind)
    throw new StageError(
      'InvalidConfig',
      `promptehr: ${name} was ${kind} when the model was trained, and is ${fact.kind} here`,
    );
  return fact as Extract<Demographic, { kind: K }> | undefined;
};

/** Facts of patients: what `VisitColumns` has of them besides visits. */
export type Facts = Pick<VisitColumns, 'visitOffsets' | 'labels' | 'demographics'>;

/** For every level of the fact, the model's level of that name, -1 where it has none. */
export const levelMap = (fact: readonly string[], levels: readonly string[]): Int32Array =>
  Int32Array.from(fact, (level) => levels.indexOf(level));

/**
 * What the network reads of `patients`; unknown where the columns have no value, or a level that the model
 * does not have. Throws InvalidConfig where a fact is of another kind than in training.
 */
export const promptsOf = (features: PromptFeatures, columns: Facts, patients: ArrayLike<number>): Prompts => {
  const wide = categoriesOf(features).length;
  const numeric = new Float32Array(patients.length * features.numeric.length).fill(Number.NaN);
  const categories = new Int32Array(patients.length * wide).fill(-1);
  const labelCount = columns.labels.length / Math.max(1, columns.visitOffsets.length - 1);
  features.numeric.forEach(({ name, mean, deviation }, feature) => {
    const fact = factOf(columns, name, 'numeric');
    if (fact)
      for (let i = 0; i < patients.length; i++)
        numeric[i * features.numeric.length + feature] =
          ((fact.values[patients[i] as number] as number) - mean) / deviation;
  });
  features.categorical.forEach(({ name, levels }, feature) => {
    const fact = factOf(columns, name, 'categorical');
    const own = fact && levelMap(fact.levels, levels);
    for (let i = 0; i < patients.length; i++)
      categories[i * wide + feature] = own?.[fact?.values[patients[i] as number] as number] ?? -1;
  });
  features.labels.forEach((label, feature) => {
    for (let i = 0; i < patients.length; i++)
      categories[i * wide + features.categorical.length + feature] =
        columns.labels[(patients[i] as number) * labelCount + label] ?? -1;
  });
  return { numeric, categories };
};
