/** Token sequences one after the other, nothing padded; sequence i is tokens offsets[i] … offsets[i+1]-1. */
export interface Sequences {
  tokens: Int32Array;
  /** `[sequences + 1]` */
  offsets: Int32Array;
}

/** Known facts about the patients of B contexts. */
export interface Prompts {
  /** `[B, numeric]` row-major; NaN is unknown: its prompt row is zero. */
  numeric: Float32Array;
  /** `[B, categories]` row-major; -1 is unknown: its prompt row is zero. */
  categories: Int32Array;
}

/** B contexts for the encoder and S spans for the decoder; several spans may read one context. */
export interface SpanBatch extends Prompts {
  contexts: Sequences;
  /** Decoder inputs. */
  spans: Sequences;
  /** `[S]` context that each span reads. */
  sources: Int32Array;
  /** `[S]` head that each span uses. */
  heads: Int32Array;
  /**
   * `[tokens of spans]` target of each row, an index into the span's head; -1 where it is not in the loss.
   */
  targets: Int32Array;
  /**
   * `[tokens of spans]` outputs 1 … floor - 1 cannot come at this row, as where codes ascend; the end, output
   * 0, always can. Absent: any output can come anywhere.
   */
  floors?: Int32Array;
}

/** Lays sequences one after the other. */
export const packSequences = (lists: readonly ArrayLike<number>[]): Sequences => {
  const offsets = new Int32Array(lists.length + 1);
  lists.forEach((list, i) => {
    offsets[i + 1] = (offsets[i] as number) + list.length;
  });
  const tokens = new Int32Array(offsets.at(-1) as number);
  lists.forEach((list, i) => {
    tokens.set(list, offsets[i]);
  });
  return { tokens, offsets };
};

/** How many sequences there are. */
export const sequenceCount = ({ offsets }: Sequences): number => offsets.length - 1;

/** Rows of a batch that count in its loss. */
export const lossRows = ({ targets }: SpanBatch): number =>
  targets.reduce((count, target) => count + (target >= 0 ? 1 : 0), 0);
