/** What the decoder needs of B encoded contexts, kept on the device until disposed of. */
export interface Memory {
  /** B */
  readonly contexts: number;
  dispose(): void;
}

/** Spans being written, all in step: one token each at a time. */
export interface SpanDecoder {
  /** Spans that are being written now. */
  readonly live: number;
  /**
   * Appends one token to each live span (the first is its begin bracket) and gives, span by span, the logits of
   * its head for the token after it. Throws RangeError where the position table ends.
   */
  step(tokens: Int32Array): Promise<Float32Array[]>;
  /** Goes on with these of the live spans, in this order; an index may come twice. */
  select(spans: Int32Array): void;
  dispose(): void;
}
