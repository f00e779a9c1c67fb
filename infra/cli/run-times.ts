import type { Manifest } from '../../schemas/artifact.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { CacheEntry, Store } from '../../schemas/store.ts';
import type { NodeView, RunSnapshot } from './run-view.ts';
import type { StageTimes } from './stage-pace.ts';

/** Entries of the history that are looked at; parts have many names, so fewer of each. */
const depth = { stage: 50, part: 8 };

const manifestOf = async (store: Store, { ref }: Pick<CacheEntry, 'ref'>): Promise<Manifest | undefined> =>
  (await store.open(ref).catch(() => undefined))?.manifest;

/** Patients that an `assemble` of this run found, where it did work in it. */
const patientsOf = async (store: Store, run: string | undefined): Promise<number | undefined> => {
  const entry = (await store.history('assemble', depth.stage)).find((made) => made.run === run);
  const patients = entry && (await manifestOf(store, entry))?.summary['patients'];
  return typeof patients === 'number' && patients > 0 ? patients : undefined;
};

/** A stage's times when it last ran, and of how many patients, where that is known. */
export interface LastTimes extends StageTimes {
  patients?: number;
}

/**
 * Times of the newest work of each node of a plan, by the history of a store; those that never ran there are
 * absent. Parts that came from the cache have the time of when they were computed. Work of `except` (a run's
 * id) is left out.
 */
export const lastTimes = async (
  { nodes }: Plan,
  store: Store,
  except?: string,
): Promise<Map<string, LastTimes>> => {
  const times = new Map<string, LastTimes>();
  for (const { id, stage } of nodes) {
    const isOfNode = ({ node, run }: CacheEntry) => node === id && (except === undefined || run !== except);
    const last = (await store.history(stage, depth.stage)).find(isOfNode);
    const recorded = last && (await manifestOf(store, last))?.recorded;
    if (!last || !recorded) continue;
    const parts = { ...recorded.parts };
    for (const name of Object.keys(parts)) {
      const part = (await store.history(`${stage}.${name}`, depth.part)).find(isOfNode);
      const seconds = part && (await manifestOf(store, part))?.recorded.seconds;
      if (seconds !== undefined) parts[name] = Math.max(seconds, parts[name] ?? 0);
    }
    const ofParts = Object.values(parts).reduce((sum, seconds) => sum + seconds, 0);
    times.set(id, {
      seconds: Math.max(recorded.seconds, ofParts),
      parts: Object.keys(parts).length > 0 ? parts : undefined,
      patients: await patientsOf(store, last.run),
    });
  }
  return times;
};

/**
 * Seconds that the finished nodes of a run took, by the store that has what they made. Asks once for each.
 */
export class FinishedTimes {
  readonly #store: Store;
  readonly #seconds = new Map<string, number>();
  readonly #asked = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
  }

  async of({ nodes }: Pick<RunSnapshot, 'nodes'>): Promise<ReadonlyMap<string, number>> {
    const isNew = ({ id, state }: NodeView) => state === 'done' && !this.#asked.has(id);
    for (const { id, result } of nodes.filter(isNew)) {
      this.#asked.add(id);
      const manifest = result && (await manifestOf(this.#store, result));
      if (manifest) this.#seconds.set(id, manifest.recorded.seconds);
    }
    return this.#seconds;
  }
}
