/** What a training will take, foreseen from its sizes and the batches of its first epoch. */
import type { TrainingData } from '../../generator.ts';
import { requireTrainingMemory, type TrainingMemory } from '../../nn/training-memory.ts';
import { fewestToSteer } from '../../nn/training-state.ts';
import { RandomSource } from '../../random.ts';
import { type PromptArchitecture, promptRows } from './architecture.ts';
import { bucketedBatches } from './buckets.ts';
import type { PromptSettings } from './config.ts';
import { partsOf } from './parts.ts';
import { lengthOf, type Subject, subjectsOf, withVisits } from './subjects.ts';

const bytesPerNumber = 4;

/** What compiled code, allocators and uncollected garbage took beside the arrays, at all sizes measured. */
const slack = 60 * 2 ** 20;

/** Rows of one batch on either side, and the longest line of each; B lines. */
interface BatchExtent {
  lines: number;
  contextRows: number;
  contextLength: number;
  spanRows: number;
  spanLength: number;
}

const longest = (lengths: readonly number[]): number =>
  lengths.reduce((most, length) => Math.max(most, length), 0);
const sum = (lengths: readonly number[]): number => lengths.reduce((all, length) => all + length, 0);

/** At most: the context has all visits up to the subject's, all spans of which are asked for. */
const extentOf = (
  architecture: PromptArchitecture,
  contextTokens: number,
  subjects: readonly Subject[],
): BatchExtent => {
  const prompts = promptRows(architecture);
  const kinds = architecture.heads.length;
  const contexts = subjects.map((subject) => {
    const visits = subject.visit - (subject.columns.visitOffsets[subject.patient] as number) + 1;
    return prompts + Math.min(contextTokens, 2 + lengthOf(subject) + visits * (2 + 2 * kinds));
  });
  const spans = subjects.map(({ columns: { codeOffsets }, visit }) => {
    const codes = (codeOffsets[visit + 1] as number) - (codeOffsets[visit] as number);
    return prompts + codes + kinds;
  });
  return {
    lines: subjects.length,
    contextRows: sum(contexts),
    contextLength: longest(contexts),
    spanRows: sum(spans),
    spanLength: longest(spans),
  };
};

/** Numbers that a step makes: what the backward pass needs of the forward pass, and its own. */
const stepNumbers = (architecture: PromptArchitecture, extent: BatchExtent): number => {
  const { width, feed, attentionHeads, encoderLayers, decoderLayers, tokens, heads } = architecture;
  const { lines, contextRows, contextLength, spanRows, spanLength } = extent;
  const [read, written] = [lines * contextLength, lines * spanLength];
  const scores = (queries: number, keys: number) => attentionHeads * lines * queries * keys;
  // Queries, keys, values in the grid; merged, out, two norms of two and masks; the wide layer before, at and after.
  const block = (rows: number, cells: number, length: number) =>
    8 * rows * width + 3 * cells * width + 3 * rows * feed + scores(length, length);
  const cross = (2 * read + written + 5 * spanRows) * width + scores(spanLength, contextLength);
  const kept =
    encoderLayers * block(contextRows, read, contextLength) +
    decoderLayers * (block(spanRows, written, spanLength) + cross);
  // One block's backward at a time; the attention's slopes and the wide layer's are the largest.
  const passing = Math.max(
    4 * scores(contextLength, contextLength),
    3 * contextRows * feed + 4 * read * width,
    4 * scores(spanLength, contextLength),
  );
  const outputs = longest(heads.map((head) => head.tokens.length));
  return kept + passing + 4 * spanRows * outputs + 2 * tokens * width + 2 * outputs * width;
};

/** Numbers that validation makes: each span of a visit reads a context of its own, and nothing is kept for a backward. */
const validationNumbers = (architecture: PromptArchitecture, extent: BatchExtent): number => {
  const { width, feed, attentionHeads, heads } = architecture;
  const kinds = heads.length;
  const { lines, contextRows, contextLength, spanRows } = extent;
  const cells = kinds * lines * contextLength;
  const attention = 3 * attentionHeads * cells * contextLength + 7 * cells * width;
  const wide = kinds * contextRows * (3 * feed + 4 * width);
  return Math.max(attention, wide) + spanRows * longest(heads.map((head) => head.tokens.length));
};

/** `batches`: those of one epoch; `isSteered`: validation keeps the best weights. */
const promptMemory = (
  architecture: PromptArchitecture,
  { contextTokens, batch }: Pick<PromptSettings, 'contextTokens' | 'batch'>,
  batches: readonly (readonly Subject[])[],
  validation: readonly Subject[],
  isSteered: boolean,
): TrainingMemory => {
  const parameters = sum(partsOf(architecture).map(({ shape }) => shape.reduce((a, b) => a * b, 1)));
  const weights = parameters * bytesPerNumber;
  const best = isSteered ? weights : 0;
  const extent = (subjects: readonly Subject[]) => extentOf(architecture, contextTokens, subjects);
  const steps = batches.map((subjects) => stepNumbers(architecture, extent(subjects)));
  const looks = Array.from({ length: Math.ceil(validation.length / batch) }, (_, i) =>
    validationNumbers(architecture, extent(validation.slice(i * batch, (i + 1) * batch))),
  );
  const largest = longest([...steps, ...looks]) * bytesPerNumber;
  // A checkpoint holds what lives, once; the model's tensors are held beside their bytes.
  const written = Math.max(3 * weights + best, 2 * weights);
  const lasting = { weights, moments: 2 * weights, gradients: weights, best };
  return {
    ...lasting,
    batch: largest,
    written,
    total: 4 * weights + best + largest + written + slack,
  };
};

const adviceOf = ({
  width,
  encoderLayers,
  decoderLayers,
  batch,
  contextTokens,
}: Pick<PromptSettings, 'width' | 'encoderLayers' | 'decoderLayers' | 'batch' | 'contextTokens'>): string =>
  `set a smaller model (width: ${width}, encoderLayers: ${encoderLayers}, decoderLayers: ${decoderLayers}; or leave out ` +
  `\`preset: paper\`), shorter contexts (contextTokens: ${contextTokens}) or a smaller batch (${batch})`;

/** What the training will take; throws OutOfMemory where that is not there, or more than `limitGib`. */
export const requirePromptMemory = (
  { train, validation }: TrainingData,
  architecture: PromptArchitecture,
  settings: PromptSettings,
  seed: number,
  limitGib: number | undefined,
): TrainingMemory => {
  const subjects = subjectsOf(train);
  const lengths = Int32Array.from(subjects, lengthOf);
  const order = new RandomSource(seed, 'order');
  const batches = bucketedBatches(lengths, settings.batch, order, 0).map((batch) =>
    Array.from(batch, (index) => subjects[index] as Subject),
  );
  const isSteered = withVisits(validation).length >= fewestToSteer;
  const need = promptMemory(architecture, settings, batches, subjectsOf(validation), isSteered);
  requireTrainingMemory('promptehr', need, adviceOf(settings), limitGib);
  return need;
};
