/** Prompts from a model: facts of the same name, levels of the same name. */
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import type { NamedArray } from '../../../kernel/checkpointable.ts';
import { promptName, type Side, type Weight } from '../network/weight-layout.ts';
import type { PromptModel } from '../records/prompt-model.ts';

interface Speaking {
  model: Pick<PromptModel, 'architecture' | 'features'>;
  vocabulary: Pick<Vocabulary, 'labels'>;
}

/** Categorical prompts by name, and the rows of their levels. */
const categories = ({
  model: { features },
  vocabulary,
}: Speaking): Map<string, { at: number; levels: Map<string, number> }> => {
  let row = 0;
  const all = [
    ...features.categorical.map(({ name, levels }) => ({ name: `fact ${name}`, levels })),
    ...features.labels.map((label) => ({ name: `label ${vocabulary.labels[label]}`, levels: ['0', '1'] })),
  ];
  return new Map(
    all.map(({ name, levels }, at) => [name, { at, levels: new Map(levels.map((level) => [level, row++])) }]),
  );
};

const copyRow = (
  from: NamedArray | undefined,
  source: number,
  into: Float32Array,
  to: number,
  factor = 1,
): void => {
  const width = from?.shape.at(-1) ?? 0;
  for (let i = 0; i < width; i++) into[to * width + i] = factor * Number(from?.data[source * width + i]);
};

/**
 * Prompts of the model for this cohort, those of the start where it has them. A number is scaled by this
 * cohort's mean and deviation, and its rows are changed so that the prompt stays what it was. `valuesOf` is
 * undefined for parts that are no prompt's.
 */
export const startedPrompts = (
  own: Speaking,
  start: Speaking & { arrays: Record<string, NamedArray> },
): {
  valuesOf(part: Weight, fresh: (part: Weight) => Float32Array): Float32Array | undefined;
  facts: Record<string, number>;
} => {
  const theirs = categories(start);
  const numeric = own.model.features.numeric.map((feature) => ({
    feature,
    at: start.model.features.numeric.findIndex(({ name }) => name === feature.name),
  }));
  const numbersOf = (side: Side, tensor: 'weight' | 'bias', values: Float32Array): Float32Array => {
    const array = (name: string) => start.arrays[promptName(side, 'num', name)];
    for (const [to, { feature, at }] of numeric.entries()) {
      const before = start.model.features.numeric[at];
      if (!before) continue;
      if (tensor === 'weight') copyRow(array('weight'), at, values, to, feature.deviation / before.deviation);
      else {
        copyRow(array('bias'), at, values, to);
        const { shape: [, width = 0] = [], data } = array('weight') ?? {};
        const shift = (feature.mean - before.mean) / before.deviation;
        for (let i = 0; i < width; i++)
          values[to * width + i] =
            (values[to * width + i] as number) + shift * Number(data?.[at * width + i]);
      }
    }
    return values;
  };
  const ours = categories(own);
  const levelsOf = (side: Side, values: Float32Array): Float32Array => {
    const array = start.arrays[promptName(side, 'cat', 'embeddings.weight')];
    for (const [name, { levels }] of ours)
      for (const [level, row] of levels) {
        const source = theirs.get(name)?.levels.get(level);
        if (source !== undefined) copyRow(array, source, values, row);
      }
    return values;
  };
  const biasOf = (side: Side, values: Float32Array): Float32Array => {
    const array = start.arrays[promptName(side, 'cat', 'bias')];
    for (const [name, { at }] of ours) {
      const source = theirs.get(name)?.at;
      if (source !== undefined) copyRow(array, source, values, at);
    }
    return values;
  };
  const special = new Map<string, (values: Float32Array) => Float32Array>();
  for (const side of ['encoder', 'decoder'] as const) {
    special.set(promptName(side, 'num', 'weight'), (values) => numbersOf(side, 'weight', values));
    special.set(promptName(side, 'num', 'bias'), (values) => numbersOf(side, 'bias', values));
    special.set(promptName(side, 'cat', 'embeddings.weight'), (values) => levelsOf(side, values));
    special.set(promptName(side, 'cat', 'bias'), (values) => biasOf(side, values));
  }
  const taken =
    numeric.filter(({ at }) => at >= 0).length + [...ours.keys()].filter((name) => theirs.has(name)).length;
  return {
    valuesOf: (part, fresh) => special.get(part.name)?.(fresh(part)),
    facts: { promptsTaken: taken, promptsFresh: numeric.length + ours.size - taken },
  };
};
