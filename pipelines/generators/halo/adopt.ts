/**
 * Takes over a checkpoint of the reference (btheodorou99/HALO_Inpatient, `torch.save` of the model's
 * state_dict, exported to safetensors). Shapes show all but the number of heads.
 */
import { z } from 'zod';
import { StageError } from '../../../schemas/errors.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import {
  attentionHeads,
  matrixNamed,
  tensorsOfShapes,
  withoutPrefix,
} from '../../generation/checkpoint-tensors.ts';
import { type Checkpoint, defineImport } from '../../generation/generator.ts';
import { layoutOf } from '../../generation/record-sets.ts';
import type { NamedArray } from '../../kernel/checkpointable.ts';
import type { Architecture } from './network/architecture.ts';
import { allWeights, liveCells, referenceShapes } from './network/weight-layout.ts';
import { samplingColumns } from './sampling/sampler.ts';

const malformed = (message: string): StageError => new StageError('SourceMalformed', message);

const options = z.object({
  heads: attentionHeads,
  maxVisits: z
    .int()
    .positive()
    .optional()
    .describe('longest record that is read; default: as many visits as the weights have positions for'),
});

/** The reference's config.py. */
const published = { embedding: 768, heads: 12 };

const labelsOf = (width: number, { codes, labels }: Vocabulary): string[] => {
  const { width: own } = layoutOf({ codes: codes.length, labels: labels.length });
  const special = own - codes.length - labels.length;
  const count = width - codes.length - special;
  if (count < 0 || (labels.length > 0 && labels.length !== count))
    throw malformed(
      `the weights have ${width} columns: codes, labels and ${special} special ones; the vocabulary has ` +
        `${codes.length} codes and ${labels.length} labels, which make ${own}`,
    );
  return labels.length > 0 ? labels : Array.from({ length: count }, (_, i) => `label ${i}`);
};

const headsOf = (embedding: number, given: number | undefined): number => {
  const heads = given ?? (embedding === published.embedding ? published.heads : undefined);
  if (heads === undefined)
    throw malformed(
      `how many attention heads the model has cannot be seen in its weights (embedding ${embedding}): give --heads`,
    );
  if (embedding % heads === 0) return heads;
  throw malformed(`${heads} heads do not divide the embedding of ${embedding} columns`);
};

/**
 * The reference's causal mask is as long as its context: two positions more than the visits it was trained
 * on.
 */
const contextOf = (tensors: Record<string, NamedArray>, positions: number): number =>
  Math.min(positions, tensors['transformer.h.0.attn.bias']?.shape.at(-1) ?? positions);

const architectureOf = (
  tensors: Record<string, NamedArray>,
  vocabulary: Vocabulary,
  { heads, maxVisits }: z.output<typeof options>,
): { architecture: Architecture; labels: string[] } => {
  const [embedding, width] = matrixNamed(tensors, 'transformer.vis_embed_mat.weight', 'HALO');
  const [positions] = matrixNamed(tensors, 'transformer.pos_embed_mat.weight', 'HALO');
  const layers = Object.keys(tensors).filter((name) =>
    /^transformer\.h\.\d+\.ln_1\.weight$/.test(name),
  ).length;
  const labels = labelsOf(width, vocabulary);
  const most = maxVisits ?? contextOf(tensors, positions) - 2;
  if (most < 1 || most > positions - 2)
    throw malformed(
      `records of ${most} visits need ${most + 2} positions, from 3 to the ${positions} that the weights have`,
    );
  return {
    labels,
    architecture: {
      layers,
      heads: headsOf(embedding, heads),
      embedding,
      codes: vocabulary.codes.length,
      labels: labels.length,
      maxVisits: most,
      positions,
    },
  };
};

/** A HALO checkpoint as a model of ours. */
export const haloImport = defineImport({
  options,
  adopt(checkpoint: Checkpoint, given) {
    const tensors = withoutPrefix(checkpoint.tensors, ['module.', 'model.']);
    const { architecture, labels } = architectureOf(tensors, checkpoint.vocabulary, given);
    const { layers, heads, embedding, maxVisits } = architecture;
    const arrays = tensorsOfShapes(tensors, referenceShapes(architecture), 'HALO');
    const made = labels.length - checkpoint.vocabulary.labels.length;
    const notes: string[] = [];
    if (given.heads === undefined)
      notes.push(`${heads} attention heads are assumed, as in the published config`);
    if (made > 0)
      notes.push(`the vocabulary names no labels: the ${made} of the weights are called label 0 and so on`);
    return {
      saved: { arrays, json: { architecture } },
      vocabulary: { ...checkpoint.vocabulary, labels },
      settings: { layers, heads, embedding, maxVisits },
      parameters: allWeights(architecture, samplingColumns).reduce(
        (sum, weight) => sum + liveCells(weight),
        0,
      ),
      notes,
    };
  },
});
