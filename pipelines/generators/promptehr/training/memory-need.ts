/** What a training will take, foreseen from its sizes and the batches of its first epoch. */
import type { TrainingData } from '../../../generation/generator.ts';
import { isSteered } from '../../../nn/training/epoch-trainer.ts';
import type { TrainingMemory } from '../../../nn/training/training-memory.ts';
import { withVisits } from '../../../patients/visit-columns.ts';
import { type PromptArchitecture, promptRows } from '../network/architecture.ts';
import { lineGroups, paddedLength } from '../network/side-rows.ts';
import { allWeights } from '../network/weight-layout.ts';
import { type ExampleVisit, exampleVisits } from '../records/examples.ts';
import type { PromptSettings } from './config.ts';

const bytesPerNumber = 4;

/** What compiled code, allocators and uncollected garbage took beside the arrays, at all sizes measured. */
const slack = 60 * 2 ** 20;

/** Lines of a batch that share a grid, of so many cells each on either side. */
interface LineGrid {
  lines: number;
  read: number;
  written: number;
}

/** Rows of one batch on either side, and the grids in which they attend. */
interface BatchExtent {
  contextRows: number;
  spanRows: number;
  grids: LineGrid[];
}

const longest = (lengths: readonly number[]): number =>
  lengths.reduce((most, length) => Math.max(most, length), 0);
const sum = (lengths: readonly number[]): number => lengths.reduce((all, length) => all + length, 0);

/** At most: each context has all visits up to the example's, and all spans of that visit are predicted. */
const rowsOf = (
  { heads, ...architecture }: PromptArchitecture,
  contextTokens: number,
  { columns: { visitOffsets, codeOffsets }, patient, visit }: ExampleVisit,
): { context: number; span: number } => {
  const prompts = promptRows(architecture);
  const [from, to] = [codeOffsets[visit] as number, codeOffsets[visit + 1] as number];
  const first = visitOffsets[patient] as number;
  const codes = to - (codeOffsets[first] as number);
  const brackets = (visit - first + 1) * (2 + 2 * heads.length);
  return {
    context: prompts + Math.min(contextTokens, 2 + codes + brackets),
    span: prompts + to - from + heads.length,
  };
};

const extentOf = (width: number, rows: readonly { context: number; span: number }[]): BatchExtent => {
  const contexts = Int32Array.from(rows, ({ context }) => context);
  const spans = Int32Array.from(rows, ({ span }) => span);
  const lengthOfAll = (lengths: Int32Array, lines: number[]) =>
    paddedLength(longest(lines.map((line) => lengths[line] as number)));
  return {
    contextRows: sum([...contexts]),
    spanRows: sum([...spans]),
    grids: lineGroups(contexts, spans, width).map((lines) => ({
      lines: lines.length,
      read: lengthOfAll(contexts, lines),
      written: lengthOfAll(spans, lines),
    })),
  };
};

/** Numbers that a step makes: what the backward pass needs of the forward pass, and its own. */
const stepNumbers = (architecture: PromptArchitecture, extent: BatchExtent): number => {
  const { width, feed, attentionHeads, encoderLayers, decoderLayers, tokens, heads } = architecture;
  const { contextRows, spanRows, grids } = extent;
  const over = (numbers: (grid: LineGrid) => number) => grids.map(numbers);
  const read = sum(over((grid) => grid.lines * grid.read));
  const written = sum(over((grid) => grid.lines * grid.written));
  const scores = {
    reading: over((grid) => attentionHeads * grid.lines * grid.read ** 2),
    writing: over((grid) => attentionHeads * grid.lines * grid.written ** 2),
    between: over((grid) => attentionHeads * grid.lines * grid.read * grid.written),
  };
  // Queries, keys, values in the grids; merged, out, two norms of two and masks; the wide layer before, at
  // and after.
  const block = (rows: number, cells: number, own: number[]) =>
    8 * rows * width + 3 * cells * width + 3 * rows * feed + sum(own);
  const cross = (2 * read + written + 5 * spanRows) * width + sum(scores.between);
  const kept =
    encoderLayers * block(contextRows, read, scores.reading) +
    decoderLayers * (block(spanRows, written, scores.writing) + cross);
  // One block's backward at a time; the attention's slopes and the wide layer's are the largest.
  const passing = Math.max(
    4 * longest(scores.reading),
    3 * contextRows * feed + 4 * read * width,
    4 * longest(scores.between),
  );
  const outputs = longest(heads.map((head) => head.tokens.length));
  return kept + passing + 4 * spanRows * outputs + 2 * tokens * width + 2 * outputs * width;
};

/**
 * Numbers that validation makes: each span of a visit reads a context of its own, and nothing is kept for a
 * backward.
 */
const validationNumbers = (architecture: PromptArchitecture, extent: BatchExtent): number => {
  const { width, feed, attentionHeads, heads } = architecture;
  const { contextRows, spanRows, grids } = extent;
  const scores = longest(grids.map(({ lines, read }) => attentionHeads * lines * read ** 2));
  const cells = sum(grids.map(({ lines, read }) => lines * read));
  const wide = contextRows * (3 * feed + 4 * width);
  return (
    Math.max(3 * scores + 7 * cells * width, wide) +
    spanRows * longest(heads.map((head) => head.tokens.length))
  );
};

/** `batches`: those of one epoch; `keepsBest`: validation keeps the best weights. */
const promptMemory = (
  architecture: PromptArchitecture,
  { contextTokens, batch }: Pick<PromptSettings, 'contextTokens' | 'batch'>,
  batches: readonly (readonly ExampleVisit[])[],
  validation: readonly ExampleVisit[],
  keepsBest: boolean,
): TrainingMemory => {
  const parameters = sum(allWeights(architecture).map(({ shape }) => shape.reduce((a, b) => a * b, 1)));
  const weights = parameters * bytesPerNumber;
  const best = keepsBest ? weights : 0;
  const extent = (visits: readonly ExampleVisit[], copies: number) => {
    const rows = visits.map((visit) => rowsOf(architecture, contextTokens, visit));
    return extentOf(
      architecture.width,
      rows.flatMap((row) => Array.from({ length: copies }, () => row)),
    );
  };
  const steps = batches.map((visits) => stepNumbers(architecture, extent(visits, 1)));
  const kinds = architecture.heads.length;
  const looks = Array.from({ length: Math.ceil(validation.length / batch) }, (_, i) =>
    validationNumbers(architecture, extent(validation.slice(i * batch, (i + 1) * batch), kinds)),
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

/** What would make it less. */
export const adviceOf = ({
  width,
  encoderLayers,
  decoderLayers,
  batch,
  contextTokens,
}: Pick<PromptSettings, 'width' | 'encoderLayers' | 'decoderLayers' | 'batch' | 'contextTokens'>): string =>
  `set a smaller model (width: ${width}, encoderLayers: ${encoderLayers}, decoderLayers: ${decoderLayers}; or leave out ` +
  `\`preset: paper\`), shorter contexts (contextTokens: ${contextTokens}) or a smaller batch (${batch})`;

/** What the training will need, with these batches of training visits in the first epoch. */
export const memoryNeed = (
  { train, validation }: TrainingData,
  architecture: PromptArchitecture,
  settings: PromptSettings,
  batches: readonly Int32Array[],
): TrainingMemory => {
  const visits = exampleVisits(train);
  return promptMemory(
    architecture,
    settings,
    batches.map((batch) => Array.from(batch, (index) => visits[index] as ExampleVisit)),
    exampleVisits(validation),
    isSteered(withVisits(validation).length),
  );
};
