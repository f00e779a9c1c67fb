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

/** What can be put away half-done and taken up again: weights, optimizer slots, random state, data cursor. */
export interface Checkpointable {
  save(): Saved | Promise<Saved>;
  load(saved: Saved): void | Promise<void>;
}
