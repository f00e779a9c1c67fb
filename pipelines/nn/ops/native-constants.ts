import type { NativeBinding } from './native-binding.ts';

/** Most that are kept once a scope has closed; the oldest go. */
const limit = 512;

/** Ids of the scalars and shapes that operations take as inputs, kept on the device between operations. */
export class NativeConstants {
  readonly #binding: NativeBinding;
  readonly #ids = new Map<string, number>();

  constructor(binding: NativeBinding) {
    this.#binding = binding;
  }

  #constant(key: string, shape: number[], make: () => Float32Array | Int32Array): number {
    const known = this.#ids.get(key);
    if (known !== undefined) {
      this.#ids.delete(key);
      this.#ids.set(key, known);
      return known;
    }
    const { createTensor, TF_FLOAT, TF_INT32 } = this.#binding;
    const values = make();
    const id = createTensor(shape, values instanceof Float32Array ? TF_FLOAT : TF_INT32, values);
    this.#ids.set(key, id);
    return id;
  }
  number(value: number): number {
    return this.#constant(`f${value}`, [], () => Float32Array.of(value));
  }
  integer(value: number): number {
    return this.#constant(`i${value}`, [], () => Int32Array.of(value));
  }
  integers(values: readonly number[]): number {
    return this.#constant(`v${values.join()}`, [values.length], () => Int32Array.from(values));
  }
  /** Ones where row < column, else zeros. */
  triangle([rows, columns]: readonly [number, number]): number {
    return this.#constant(`t${rows},${columns}`, [rows, columns], () => {
      const ones = new Float32Array(rows * columns);
      for (let row = 0; row < rows; row++)
        ones.fill(1, Math.min((row + 1) * columns, row * columns + row + 1), (row + 1) * columns);
      return ones;
    });
  }

  trim(most = limit): void {
    for (const [key, id] of this.#ids) {
      if (this.#ids.size <= most) return;
      this.#ids.delete(key);
      this.#binding.deleteTensor(id);
    }
  }
}
