import type { Pace } from '../../../kernel/pace.ts';
import type { VisitColumns } from '../../../patients/visit-columns.ts';
import { headName, layerName } from '../network/weight-layout.ts';
import type { PromptModel } from '../records/prompt-model.ts';
import { associatedRows } from './associations.ts';

/** Of a row, how much begins as what the code goes with; the rest is drawn, for training to use. */
const share = 1 / 4;

/**
 * What the mean of the context's rows weighs against the row of the code said last when a block of the
 * decoder adds both and normalizes: so much that the last code has little to say.
 */
const passed = 12;

/** Norm of the decoder's last row: what associations add to a logit is about their mean over the context. */
const outputNorm = 1.13;

const grow = (values: Map<string, Float32Array>, name: string, change: (own: Float32Array) => void): void => {
  const own = values.get(name);
  if (own) change(own);
};

/**
 * Changes fresh weights, in place, so that codes are likelier after codes they share visits with: rows of
 * codes begin as what they go with (associations.ts), cross-attention, which sees all of the context alike at
 * first, passes its rows on as they are, and the tied heads compare. Chosen on the MIMIC-III demo
 * (docs/promptehr.md).
 */
export const startAssociated = async (
  values: Map<string, Float32Array>,
  { architecture, streams }: PromptModel,
  train: VisitColumns,
  pace: Pace,
): Promise<void> => {
  const { width, decoderLayers } = architecture;
  const rank = Math.ceil(width * share);
  const { codes, rows } = await associatedRows(train, streams.kindOf.length, rank, pace);
  const addRow = (table: Float32Array, row: number, from: number) => {
    for (let k = 0; k < rank; k++)
      table[row * width + k] = (table[row * width + k] as number) + (rows[from * rank + k] as number);
  };
  grow(values, 'model.shared.weight', (table) => {
    codes.forEach((code, i) => {
      addRow(table, streams.codeBase + code, i);
    });
  });
  for (const [head, { name }] of streams.heads.entries())
    grow(values, headName(name), (matrix) => {
      codes.forEach((code, i) => {
        if (streams.kindOf[code] === head) addRow(matrix, streams.logitOf[code] as number, i);
      });
    });
  for (let layer = 0; layer < decoderLayers; layer++) {
    const at = (tensor: string) => layerName('decoder', layer, `${tensor}.weight`);
    const addUnit = (name: string, columns: number, first: number, size: number) =>
      grow(values, at(name), (matrix) => {
        for (let i = 0; i < width; i++)
          matrix[i * columns + first + i] = (matrix[i * columns + first + i] as number) + size;
      });
    // Values are the second half of what cross-attention remembers.
    addUnit('encoder_attn.remember', 2 * width, width, 1);
    addUnit('encoder_attn.out_proj', width, 0, passed);
    if (layer === decoderLayers - 1)
      grow(values, at('final_layer_norm'), (gain) => gain.fill(outputNorm / Math.sqrt(width)));
  }
};
