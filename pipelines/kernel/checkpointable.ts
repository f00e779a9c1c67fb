/** A named array with its shape, as it goes into a safetensors file. */
export interface NamedArray {
  shape: number[];
  data: Float32Array | Float64Array | Int32Array | Uint8Array | BigInt64Array;
}

/** A state that can be written down: numbers in `arrays`, everything else in `json`. */
export interface Saved {
  arrays: Record<string, NamedArray>;
  json: Record<string, unknown>;
}

/** An array that is made when it is written and given back then: for states too large to be held twice. */
export interface PendingArray {
  shape: number[];
  /** The numbers as they are now; the caller's own. */
  read(): Float32Array;
}

/** A state about to be written down, before whatever it is of goes on. */
export interface Saving {
  arrays: Record<string, NamedArray | PendingArray>;
  json: Record<string, unknown>;
}

/** What can be put away half-done and taken up again: weights, optimizer slots, random state, data cursor. */
export interface Checkpointable {
  save(): Saving | Promise<Saving>;
  load(saved: Saved): void | Promise<void>;
}
