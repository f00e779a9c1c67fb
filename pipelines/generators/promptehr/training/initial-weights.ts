import type { RandomSource } from '../../../kernel/random.ts';
import { type Distribution, freshValues } from '../../../nn/ops/fresh-values.ts';
import { type VisitColumns, visitCount } from '../../../patients/visit-columns.ts';
import type { PromptArchitecture } from '../network/architecture.ts';
import { allWeights, headName, type Weight } from '../network/weight-layout.ts';
import type { StreamLayout } from '../records/streams.ts';

/**
 * How the reference fills a fresh tensor: BART's normal of 0.02, Xavier's uniform for what makes prompt rows.
 */
const distributionOf = ({ name, shape }: Weight): Distribution => {
  const [rows, columns] = shape;
  if (columns === undefined)
    return { kind: 'constant', size: /layer_?norm/.test(name) && name.endsWith('.weight') ? 1 : 0 };
  const isRows = name.includes('tokenizer') && !/proj|embeddings/.test(name);
  if (isRows) return { kind: 'uniform', size: Math.sqrt(6 / ((rows as number) + columns)) };
  return { kind: 'normal', size: 0.02 };
};

/**
 * Share of the visits whose span has each output of each head, none never or always. [outputs], the end's is
 * unused.
 */
export const headShares = (
  { kindOf, logitOf, heads }: StreamLayout,
  columns: VisitColumns,
): Float64Array[] => {
  const counts = heads.map(({ tokens }) => new Float64Array(tokens.length));
  for (const code of columns.codes) {
    const own = counts[kindOf[code] as number] as Float64Array;
    const logit = logitOf[code] as number;
    own[logit] = (own[logit] as number) + 1;
  }
  const visits = Math.max(1, visitCount(columns));
  return counts.map((count) => count.map((n) => Math.min(Math.max(n, 0.5), visits - 0.5) / visits));
};

/**
 * What a head adds to its logits so that, where rows say nothing, each code is in as large a share of spans
 * as given, and independently of the others. Codes that ascend: the next is c when none between is there, so
 * p(c) times 1 - p of all codes before it; the end when none is left. In any order: p(c), and one for the
 * end.
 */
export const prevalenceBias = (
  shares: readonly Float64Array[],
  order: 'canonical' | 'shuffled',
): Float32Array[] =>
  shares.map((own) => {
    const bias = new Float32Array(own.length);
    let absent = 0;
    for (let logit = 1; logit < own.length; logit++) {
      const share = own[logit] as number;
      bias[logit] = Math.log(share) + absent;
      if (order === 'canonical') absent += Math.log1p(-share);
    }
    bias[0] = absent;
    return bias;
  });

/**
 * A fresh model's numbers, part by part; a draw is addressed by its part, row and column. `biases`: by head.
 */
export const initialValues = (
  architecture: PromptArchitecture,
  random: RandomSource,
  biases: readonly Float32Array[] = [],
): ((part: Weight) => Float32Array) => {
  const names = allWeights(architecture).map(({ name }) => name);
  const given = new Map(architecture.heads.map(({ name }, head) => [headName(name, 'bias'), biases[head]]));
  return (part) => {
    const bias = given.get(part.name);
    if (bias) return bias;
    const columns = part.shape.at(-1) as number;
    const rows = part.shape.length === 1 ? 1 : (part.shape[0] as number);
    const tensor = names.indexOf(part.name);
    return freshValues(random, distributionOf(part), { tensor, row: 0, column: 0, rows, columns });
  };
};
