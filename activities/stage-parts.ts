import type { Lineage } from '../schemas/artifact.ts';
import type { Progress } from '../schemas/progress.ts';
import type { Stage } from '../schemas/stage.ts';
import type { Store } from '../schemas/store.ts';
import { cacheKey, toLineage } from './cache-key.ts';
import { codeDigest } from './code-digest.ts';
import { explainMiss } from './explain-miss.ts';
import type { Host } from './safe-points.ts';
import type { StagePart } from './stage-body.ts';

const file = 'part.json';
/** How far back a miss is explained. */
const historyDepth = 20;

/** Writes down one part's result as an artifact that no edge of the DAG carries. */
const keep = async (store: Store, lineage: Lineage, json: string, host: Host, seconds: number) => {
  const { attempt, run } = host;
  const at = new Date().toISOString();
  const recorded = { at, seconds, attempt, ...(run !== undefined && { run }) };
  const draft = await store.draft('measurement');
  try {
    await draft.write(file, json);
    return { at, ref: await draft.commit({ lineage, summary: {}, recorded }) };
  } catch (error) {
    await draft.discard().catch(() => host.log.warn({}, 'an unfinished part could not be removed'));
    throw error;
  }
};

/**
 * The `part` tool of a stage that is running. A part's key is made of what it reads, its own code and params and
 * the stage's engine, so it holds across runs, attempts, and changes of the stage's other parts.
 */
export const partsOf = (stage: Stage, whole: Lineage, node: string, store: Store, host: Host) =>
  async function* part(
    { name, code, params, inputs }: StagePart,
    compute: () => AsyncGenerator<Progress, unknown, void>,
  ): AsyncGenerator<Progress, unknown, void> {
    const { fingerprint, engine } = whole;
    const lineage = toLineage(
      { ...stage, name: `${stage.name}.${name}`, incidental: [] },
      { params, inputs, fingerprint, code: await codeDigest(code), engine },
    );
    const key = cacheKey(lineage);
    const known = await store.cached(key);
    if (known) {
      host.log.info(
        { part: name, made: known.at, ...(known.run && { by: known.run }) },
        'part from the cache',
      );
      return (await store.open(known.ref)).json(file);
    }
    const history = await store.history(lineage.stage, historyDepth);
    const before = history.find((entry) => entry.node === node)?.lineage;
    host.log.info({ part: name, why: explainMiss(before, lineage) }, 'part not in the cache');
    const started = performance.now();
    const json = JSON.stringify(yield* compute());
    const seconds = Math.round(performance.now() - started) / 1000;
    const { at, ref } = await keep(store, lineage, json, host, seconds);
    await store.remember({ key, ref, lineage, at, node, ...(host.run !== undefined && { run: host.run }) });
    // Through JSON, so that a part just made and one from the cache are the same to the byte.
    return JSON.parse(json);
  };
