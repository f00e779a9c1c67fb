import { z } from 'zod';
import { parseConfig } from '../pipelines/kernel/parse-config.ts';
import { type ArtifactRef, artifactRef, type Lineage } from '../schemas/artifact.ts';
import { StageError } from '../schemas/errors.ts';
import type { StageResult } from '../schemas/progress.ts';
import type { Stage, StageInputs, StageParams } from '../schemas/stage.ts';
import type { CacheEntry, Store } from '../schemas/store.ts';
import { cacheKey, toLineage } from './cache-key.ts';
import { codeDigest } from './code-digest.ts';
import { explainMiss } from './explain-miss.ts';
import { Checkpoints, type Host, PartTimes, pump, whileBeating } from './safe-points.ts';
import type { StageBody, Summary } from './stage-body.ts';
import { partsOf } from './stage-parts.ts';

/** Argument of every stage activity. Parsed before anything is done. */
export const stageTask = z.object({
  node: z.string().describe('id of the plan node this is'),
  params: z.unknown(),
  inputs: z.record(z.string(), z.union([artifactRef, z.array(artifactRef)])),
});
export type RawStageTask = z.input<typeof stageTask>;

/** What the runner needs from the worker. `engine` names what computes this stage's tensors, if anything. */
export interface RunnerTools {
  store: Store;
  engine: string;
}

/** How far back a miss is explained. */
const historyDepth = 100;
const secondsBetweenCheckpoints = z.object({ checkpointEvery: z.number() }).catch({ checkpointEvery: 60 });

const parseParams = <S extends Stage>(stage: S, node: string, raw: unknown): StageParams<S> =>
  parseConfig(stage.params, raw, `${node}: params`) as StageParams<S>;

const checkInputs = <S extends Stage>(
  stage: S,
  node: string,
  inputs: Record<string, ArtifactRef | ArtifactRef[]>,
): StageInputs<S> => {
  const filled = { ...inputs };
  for (const [slot, kind] of Object.entries(stage.inputs)) {
    // A list may be left out: older plans do so, made before the stage had it.
    const given = inputs[slot] ?? (Array.isArray(kind) ? [] : undefined);
    const wanted = [kind].flat()[0];
    const kinds = [given ?? []].flat().map((ref) => ref.kind);
    if (!given || Array.isArray(given) !== Array.isArray(kind) || kinds.some((found) => found !== wanted))
      throw new StageError(
        'InvalidConfig',
        `input ${slot} of ${node}: expected ${Array.isArray(kind) ? 'a list of' : 'one'} ${wanted}, found ${kinds.join(', ') || 'nothing'}`,
      );
    filled[slot] = given;
  }
  return filled as StageInputs<S>;
};

const fromCache = async (store: Store, entry: CacheEntry): Promise<StageResult> => ({
  ref: entry.ref,
  cached: true,
  why: `same stage version, params, inputs and code as ${entry.run ?? 'a local run'} at ${entry.at}`,
  summary: (await store.open(entry.ref)).manifest.summary,
});

const whyNot = async (store: Store, node: string, lineage: Lineage): Promise<string> => {
  const history = await store.history(lineage.stage, historyDepth);
  return explainMiss(history.find((entry) => entry.node === node)?.lineage, lineage);
};

/** Does the work and commits it; on any failure nothing is left but the checkpoint. */
const make = async <S extends Stage>(
  stage: S,
  body: StageBody<S>,
  task: { node: string; params: StageParams<S>; inputs: StageInputs<S> },
  lineage: Lineage,
  { store }: RunnerTools,
  host: Host,
): Promise<{ ref: ArtifactRef; summary: Summary; at: string }> => {
  const key = cacheKey(lineage);
  const started = performance.now();
  const { checkpointEvery } = secondsBetweenCheckpoints.parse(task.params);
  const checkpoints = new Checkpoints(store, key, checkpointEvery, host);
  const draft = await whileBeating(host, { step: 0, of: 1, phase: 'starting an artifact' }, () =>
    store.draft(stage.output),
  );
  try {
    const tools = {
      open: (ref: ArtifactRef) => store.open(ref),
      draft,
      resume: checkpoints.resume.bind(checkpoints),
      part: partsOf(stage, lineage, task.node, store, host),
      signal: host.signal,
      log: host.log,
    };
    const times = new PartTimes();
    const summary = await pump(body.run(task, tools), checkpoints, host, times);
    const at = new Date().toISOString();
    const { attempt, run } = host;
    const seconds = Math.round(performance.now() - started) / 1000;
    const { resumedFrom } = checkpoints;
    const recorded = {
      ...{ at, seconds, attempt, parts: times.end() },
      ...(resumedFrom && { resumedFrom }),
      ...(run && { run }),
    };
    const commit = () => draft.commit({ lineage, summary, recorded });
    return { ref: await whileBeating(host, { step: 1, of: 1, phase: 'committing' }, commit), summary, at };
  } catch (error) {
    const discarded = draft
      .discard()
      .catch(() => host.log.warn({}, 'an unfinished artifact could not be removed'));
    // A store that hangs would keep us as well; what is left then, its next writer removes.
    if (!(error instanceof StageError && error.code === 'Stalled')) await discarded;
    throw error;
  }
};

/**
 * Runs one stage: answers from the cache, or drives its body and commits what it wrote. The result holds
 * references and aggregates only, and states why the cache did or did not have it. Throws StageError.
 */
export const runStage = async <S extends Stage>(
  stage: S,
  body: StageBody<S>,
  raw: unknown,
  tools: RunnerTools,
  host: Host,
): Promise<StageResult> => {
  const { store, engine } = tools;
  const { node, params: rawParams, inputs: rawInputs } = stageTask.parse(raw);
  const params = parseParams(stage, node, rawParams);
  const inputs = checkInputs(stage, node, rawInputs);
  const code = await codeDigest([body.code, ...(body.codeOf?.(params) ?? [])]);
  const before = <T>(phase: string, work: () => Promise<T>) =>
    whileBeating(host, { step: 0, of: 1, phase }, work);
  const fingerprint = await before('digesting the source', async () => body.fingerprint?.(params));
  const lineage = toLineage(stage, { params, inputs: rawInputs, fingerprint, code, engine });
  const key = cacheKey(lineage);
  const known = await before('looking in the cache', async () => {
    const entry = await store.cached(key);
    return entry && fromCache(store, entry);
  });
  if (known) return known;

  const why = await before('looking in the history', () => whyNot(store, node, lineage));
  host.log.info({ why }, 'not in the cache');
  const { ref, summary, at } = await make(stage, body, { node, params, inputs }, lineage, tools, host);
  await whileBeating(host, { step: 1, of: 1, phase: 'writing the cache' }, async () => {
    await store.remember({ key, ref, lineage, at, node, ...(host.run !== undefined && { run: host.run }) });
    await store.dropCheckpoint(key);
  });
  return { ref, cached: false, why, summary };
};
