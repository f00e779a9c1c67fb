import { type Distribution, freshValues } from '../../nn/fresh-values.ts';
import type { RandomSource } from '../../random.ts';
import type { PromptArchitecture } from './architecture.ts';
import { type Part, partsOf } from './parts.ts';

/** How the reference fills a fresh tensor: BART's normal of 0.02, Xavier's uniform for what makes prompt rows. */
const distributionOf = ({ name, shape }: Part): Distribution => {
  const [rows, columns] = shape;
  if (columns === undefined)
    return { kind: 'constant', size: /layer_?norm/.test(name) && name.endsWith('.weight') ? 1 : 0 };
  const isRows = name.includes('tokenizer') && !/proj|embeddings/.test(name);
  if (isRows) return { kind: 'uniform', size: Math.sqrt(6 / ((rows as number) + columns)) };
  return { kind: 'normal', size: 0.02 };
};

/** A fresh model's numbers, part by part; a draw is addressed by its part, row and column. */
export const initialValues = (
  architecture: PromptArchitecture,
  random: RandomSource,
): ((part: Part) => Float32Array) => {
  const names = partsOf(architecture).map(({ name }) => name);
  return (part) => {
    const columns = part.shape.at(-1) as number;
    const rows = part.shape.length === 1 ? 1 : (part.shape[0] as number);
    const tensor = names.indexOf(part.name);
    return freshValues(random, distributionOf(part), { tensor, row: 0, column: 0, rows, columns });
  };
};
