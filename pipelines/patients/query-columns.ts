import type { Database } from '../kernel/duckdb.ts';
import type { Demographic } from './visit-columns.ts';

/** Takes the values of one result column one by one and ends as a typed array. */
interface Gatherer {
  add(value: unknown): void;
}

abstract class NumberGatherer<A extends Int32Array | Float32Array> implements Gatherer {
  protected values: A;
  #length = 0;
  constructor(values: A) {
    this.values = values;
  }
  protected abstract longer(): A;
  protected abstract numberOf(value: unknown): number;

  add(value: unknown): void {
    if (this.#length === this.values.length) this.values = this.longer();
    this.values[this.#length++] = this.numberOf(value);
  }
  finish(): A {
    return this.values.slice(0, this.#length) as A;
  }
}

/** Whole numbers; null becomes -1, true 1, false 0. */
export class Int32Gatherer extends NumberGatherer<Int32Array> {
  constructor() {
    super(new Int32Array(1024));
  }
  protected override longer(): Int32Array {
    const longer = new Int32Array(this.values.length * 2);
    longer.set(this.values);
    return longer;
  }
  protected override numberOf(value: unknown): number {
    return value === null ? -1 : Number(value);
  }
}

/** Measurements; null becomes NaN. */
export class Float32Gatherer extends NumberGatherer<Float32Array> {
  constructor() {
    super(new Float32Array(1024));
  }
  protected override longer(): Float32Array {
    const longer = new Float32Array(this.values.length * 2);
    longer.set(this.values);
    return longer;
  }
  protected override numberOf(value: unknown): number {
    return value === null ? Number.NaN : Number(value);
  }
}

/** Texts with few different values; levels end up sorted, null becomes level -1. */
export class LevelGatherer implements Gatherer {
  readonly #levels = new Map<string, number>();
  readonly #values = new Int32Gatherer();

  add(value: unknown): void {
    this.#values.add(value === null ? null : this.#levelOf(String(value)));
  }
  #levelOf(text: string): number {
    const level = this.#levels.get(text) ?? this.#levels.size;
    this.#levels.set(text, level);
    return level;
  }
  finish(): Extract<Demographic, { kind: 'categorical' }> {
    const levels = [...this.#levels.keys()].sort();
    const rank = new Map(levels.map((text, i) => [this.#levels.get(text), i]));
    return {
      kind: 'categorical',
      levels,
      values: this.#values.finish().map((level) => rank.get(level) ?? -1),
    };
  }
}

/** Streams a query: column i of the result goes to gatherer i. Holds one chunk of 2,048 rows at a time. */
export const gather = async (
  database: Database,
  sql: string,
  gatherers: readonly Gatherer[],
): Promise<void> => {
  for await (const chunk of database.stream(sql))
    gatherers.forEach((gatherer, i) => {
      const vector = chunk.getColumnVector(i);
      for (let row = 0; row < chunk.rowCount; row++) gatherer.add(vector.getItem(row));
    });
};
