import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const schema = z.object({
  loss: z.number(),
  score_table: z.object({
    scores: z.array(z.number()),
    labels: z.array(z.int()),
    reference_metrics: z.object({
      Accuracy: z.number(),
      'F1 Score': z.number(),
      AUROC: z.number(),
      AUPRC: z.number(),
    }),
    sklearn_average_precision: z.number(),
  }),
  multilabel: z.object({
    scores: z.array(z.array(z.number())),
    labels: z.array(z.array(z.int())),
    recall_at_k_numpy_NOT_from_reference: z.object({
      'recall@10': z.number(),
      'recall@20': z.number(),
      'recall@30': z.number(),
    }),
    macro_auroc_columns_with_both_classes: z.number(),
    'micro_f1_at_0.5': z.number(),
  }),
});

/** golden_utility.json, as the fixtures' README tells it. */
export const utilityGolden = async (): Promise<z.output<typeof schema>> => {
  const file = new URL('../../../fixtures/golden/golden_utility.json', import.meta.url);
  return schema.parse(JSON.parse(await readFile(file, 'utf8')));
};
