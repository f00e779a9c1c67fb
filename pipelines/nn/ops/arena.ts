import type { Tensor } from './ops.ts';

/** Who frees what: ids of device arrays by the scope that made them. */
class Arena {
  readonly #scopes: Set<number>[] = [];
  readonly #kept = new Set<number>();
  readonly #release: (id: number) => void;
  readonly #closed: (newest: number) => void;
  #newest = 0;

  /** `release` frees one array; `closed` gets the last id made when the outermost scope has closed. */
  constructor(release: (id: number) => void, closed: (newest: number) => void = () => {}) {
    this.#release = release;
    this.#closed = closed;
  }

  get size(): number {
    return this.#scopes.reduce((sum, scope) => sum + scope.size, this.#kept.size);
  }

  track(id: number): void {
    const scope = this.#scopes.at(-1);
    if (!scope) {
      this.#release(id);
      throw new RangeError('an operation outside of any scope: wrap it in ops.scope');
    }
    // The addon gives out an id that is in use when its counter has come round; see LastingHandles.
    if (this.#kept.has(id) || this.#scopes.some((open) => open.has(id)))
      throw new RangeError(`handle ${id} was given out twice`);
    scope.add(id);
    this.#newest = id;
  }

  keep(id: number): void {
    if (this.#scopes.some((scope) => scope.delete(id))) this.#kept.add(id);
  }

  free(id: number): void {
    if (this.#kept.delete(id) || this.#scopes.some((scope) => scope.delete(id))) this.#release(id);
  }

  /** Opens a scope around `work`; it closes when `work` returns, throws, or settles. */
  run<T>(work: () => T): T {
    const scope = new Set<number>();
    this.#scopes.push(scope);
    const close = () => {
      this.#scopes.splice(this.#scopes.indexOf(scope), 1);
      for (const id of scope) this.#release(id);
      if (this.#scopes.length === 0) this.#closed(this.#newest);
    };
    let result: T;
    try {
      result = work();
    } catch (error) {
      close();
      throw error;
    }
    if (result instanceof Promise) return result.finally(close) as T;
    close();
    return result;
  }

  /** As run, but the arrays that `work` returns move to the enclosing scope. */
  tidy<T extends Tensor | readonly Tensor[]>(work: () => T): T {
    const outer = this.#scopes.at(-1);
    return this.run(() => {
      const result = work();
      const results: Tensor[] = [result].flat();
      for (const { id } of results) if (this.#scopes.at(-1)?.delete(id)) outer?.add(id);
      return result;
    });
  }

  dispose(): void {
    for (const scope of [...this.#scopes, this.#kept]) {
      for (const id of scope) this.#release(id);
      scope.clear();
    }
  }
}

/** Ops keep their tensors in an arena: what those of all backends have in common. */
export abstract class ArenaOps {
  protected readonly arena = new Arena(
    (id) => this.release(id),
    (newest) => this.closed(newest),
  );

  /** Frees one array on the device. */
  protected abstract release(id: number): void;

  /** After the outermost scope has closed; `newest` is the last id made. */
  protected closed(_newest: number): void {}

  scope<T>(work: () => T): T {
    return this.arena.run(work);
  }
  tidy<T extends Tensor | readonly Tensor[]>(work: () => T): T {
    return this.arena.tidy(work);
  }
  keep(tensor: Tensor): Tensor {
    this.arena.keep(tensor.id);
    return tensor;
  }
  free(tensor: Tensor): void {
    this.arena.free(tensor.id);
  }
}
