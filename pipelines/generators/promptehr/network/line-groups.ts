/** Which lines of a batch share a grid for their attention scores. */
import { type PromptArchitecture, promptRows } from './architecture.ts';
import type { SpanBatch } from './sequences.ts';

/**
 * What the operations of one more grid cost, in cells of scores of all heads together times the model's width. Measured
 * on two cores: some 40 operations of 15 µs a layer, against 56 ns a cell at a width of 128 and 240 ns at 768.
 */
const gridCost = 1_600_000;

/**
 * Cells that a line of so many rows gets: a multiple of 8, of 16 above 64. For each new shape of a product oneDNN compiles
 * a kernel, which takes longer than most of our products: few shapes, all soon known. Groups have multiples of 4 lines
 * for the same reason.
 */
export const paddedLength = (rows: number): number => {
  const step = rows > 64 ? 16 : 8;
  return Math.ceil(Math.max(1, rows) / step) * step;
};
const groupStep = 4;

/** Scores of so many lines of the encoder, the decoder, and between them. */
const cellsOf = (lines: number, encoder: number, decoder: number): number =>
  lines * (encoder * encoder + decoder * decoder + encoder * decoder);

/**
 * Lines in groups of similar length, such that padded scores and the operations of a group cost least together; within
 * a group, and group by group, lines ascend by length. `encoder` and `decoder` are the lengths of both sides.
 */
export const lineGroups = (encoder: Int32Array, decoder: Int32Array, width: number): number[][] => {
  const at = (lengths: Int32Array, line: number): number => lengths[line] as number;
  const order = [...encoder.keys()].sort(
    (a, b) => at(encoder, a) - at(encoder, b) || at(decoder, a) - at(decoder, b) || a - b,
  );
  // least[n]: cost of the first n lines in the best groups, of which the last begins at begin[n].
  const least = [0];
  const begin = [0];
  for (let end = 1; end <= order.length; end++) {
    least[end] = Number.POSITIVE_INFINITY;
    let [longest, widest] = [1, 1];
    for (let first = end - 1; first >= 0; first--) {
      longest = Math.max(longest, paddedLength(at(encoder, order[first] as number)));
      widest = Math.max(widest, paddedLength(at(decoder, order[first] as number)));
      if (first % groupStep > 0) continue;
      const cost = (least[first] as number) + cellsOf(end - first, longest, widest) + (3 * gridCost) / width;
      if (cost < (least[end] as number)) [least[end], begin[end]] = [cost, first];
    }
  }
  const groups: number[][] = [];
  for (let end = order.length; end > 0; end = begin[end] as number)
    groups.unshift(order.slice(begin[end] as number, end));
  return groups;
};

/** The contexts of a batch in groups, each with the spans that are written on its line. */
export const groupsOf = (
  { contexts, spans, sources }: SpanBatch,
  architecture: PromptArchitecture,
): number[][] => {
  const prompts = promptRows(architecture);
  const encoder = contexts.offsets.slice(1).map((end, i) => prompts + end - (contexts.offsets[i] as number));
  const decoder = new Int32Array(encoder.length).fill(prompts);
  for (const [span, source] of sources.entries())
    if (source < decoder.length)
      decoder[source] =
        (decoder[source] as number) + (spans.offsets[span + 1] as number) - (spans.offsets[span] as number);
  return lineGroups(encoder, decoder, architecture.width);
};
