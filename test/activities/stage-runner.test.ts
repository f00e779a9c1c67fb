import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { type RawStageTask, runStage } from '../../activities/stage-runner.ts';
import { createFileStore } from '../../infra/store/fs.ts';
import { stages } from '../../schemas/stages/index.ts';
import type { Store } from '../../schemas/store.ts';
import { type LocalHost, localHost } from '../helpers/local-host.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { toyBodies } from '../helpers/toy-bodies.ts';

const cohort = { kind: 'token-cohort', digest: 'c'.repeat(64) } as const;
const task = (config: Record<string, unknown> = {}, more: Record<string, unknown> = {}): RawStageTask => ({
  node: 'train:toy',
  params: { generator: 'toy', config, checkpointEvery: 0, ...more },
  inputs: { cohort },
});
const train = (store: Store, raw: unknown, host = localHost()) =>
  runStage(stages.train, toyBodies.train, raw, { store, engine: 'e' }, host);
const newStore = async (t: ExecutionContext) => createFileStore(await tempFolder(t));

test('a stopped training goes on from its checkpoint and ends with the same digest', async (t) => {
  const whole = await train(await newStore(t), task());
  for (const checkpointEvery of [0, 1000]) {
    const store = await newStore(t);
    const first = localHost({ stopAfter: 2 });
    await t.throwsAsync(train(store, task({}, { checkpointEvery }), first), { message: 'machine lost' });
    const second = localHost({ attempt: 2 });
    const resumed = await train(store, task({}, { checkpointEvery }), second);
    t.deepEqual(first.steps, [1, 2]);
    t.deepEqual(second.steps, [3, 4, 5], 'the last checkpoint was written on the way out');
    t.deepEqual(resumed.ref, whole.ref, 'how often it is saved does not matter');
    const { recorded } = (await store.open(resumed.ref)).manifest;
    t.is(recorded.resumedFrom, 2);
    t.is(recorded.attempt, 2);
  }
});

test('a checkpoint is gone once its artifact is there, and so is the draft of a failure', async (t) => {
  const folder = await tempFolder(t);
  const store = createFileStore(folder);
  await t.throwsAsync(train(store, task({ divergeAt: 3 })), { name: 'Diverged' });
  t.deepEqual(await readdir(join(folder, 'temp')), []);
  t.is((await readdir(join(folder, 'checkpoints'))).length, 1);
  await train(store, task());
  t.deepEqual(await readdir(join(folder, 'temp')), []);
  t.is((await readdir(join(folder, 'checkpoints'))).length, 1, 'only the failed one is left');
});

test('the second time the cache answers, and says why', async (t) => {
  const store = await newStore(t);
  const first = await train(store, task());
  t.false(first.cached);
  t.is(first.why, 'never run');
  const host = localHost({ run: 'another-run' });
  const second = await train(store, task({}, { checkpointEvery: 30 }), host);
  t.true(second.cached);
  t.regex(second.why, /^same stage version, params, inputs and code as test-run at 20/);
  t.deepEqual(second.ref, first.ref);
  t.deepEqual(second.summary, { steps: 5 });
  t.deepEqual(host.steps, []);
});

test('a miss is explained by what changed since the node was made', async (t) => {
  const store = await newStore(t);
  await train(store, task({ steps: 3 }));
  const changed = await train(store, task({ steps: 4 }, { seed: 1 }));
  t.is(changed.why, 'param config.steps 3 -> 4; param seed 0 -> 1');
  const other = {
    ...task({ steps: 4 }, { seed: 1 }),
    inputs: { cohort: { ...cohort, digest: 'd'.repeat(64) } },
  };
  t.is((await train(store, other)).why, 'input cohort changed');
  t.is(
    (await train(store, { ...other, node: 'train:new' })).cached,
    true,
    'the name of a node decides nothing',
  );
  t.is((await train(store, { ...task(), node: 'train:new2' })).why, 'never run');
});

test('a later attempt that has saved stops the earlier one', async (t) => {
  const store = await newStore(t);
  await t.throwsAsync(train(store, task(), localHost({ attempt: 2, stopAfter: 1 })));
  await t.throwsAsync(train(store, task(), localHost({ attempt: 1 })), { name: 'Superseded' });
  const elsewhere = await train(store, task(), localHost({ attempt: 1, owner: 'run/other' }));
  t.is((await store.open(elsewhere.ref)).manifest.recorded.resumedFrom, 1, 'other runs may go on from it');
});

test('a body that is stopped can let go of what it holds', async (t) => {
  const said: unknown[] = [];
  const host = localHost({ stopAfter: 1 });
  host.log.debug = (message: unknown) => said.push(message);
  await t.throwsAsync(train(await newStore(t), task(), host));
  t.deepEqual(said, ['toy training let go']);
});

test('safe points that are too far apart are warned of', async (t) => {
  const host = localHost({ heartbeatMs: 40 });
  await train(await newStore(t), task({ steps: 1, sleepMs: 30 }), host);
  t.regex(host.warnings.join(), /far apart/);
});

test('a long step does not look dead either, as long as it lets the event loop run', async (t) => {
  const host = localHost({ heartbeatMs: 40 });
  await train(await newStore(t), task({ steps: 2, sleepMs: 100 }), host);
  const beats = (step: number) => host.steps.filter((beat) => beat === step).length;
  t.true(beats(0) >= 3, `${beats(0)} beats before the first safe point`);
  t.true(beats(1) >= 3, `${beats(1)} beats between the first and the second`);
});

test('a step that does not end is given up, and the next attempt goes on from the checkpoint', async (t) => {
  const store = await newStore(t);
  const hanging = (step: number): typeof toyBodies.train => ({
    ...toyBodies.train,
    async *run(parts, tools) {
      for await (const progress of toyBodies.train.run(parts, tools)) {
        yield progress;
        if (progress.step === step) await new Promise(() => undefined);
      }
      return {};
    },
  });
  // Long enough for a busy machine to start an artifact in.
  const first = localHost({ heartbeatMs: 100, stepMs: 3000 });
  const error = await t.throwsAsync(
    runStage(stages.train, hanging(2), task(), { store, engine: 'e' }, first),
    { name: 'Stalled' },
  );
  t.is(error?.message, 'after step 2 of 5, toy, nothing came to an end for 0.05 minutes');
  const second = localHost({ attempt: 2 });
  await train(store, task(), second);
  t.deepEqual(second.steps.slice(0, 3), [3, 4, 5]);
});

test('bad params and inputs are refused before any work, naming node and slot', async (t) => {
  const store = await newStore(t);
  const refused = (raw: unknown, message: RegExp) =>
    t.throwsAsync(train(store, raw), { name: 'InvalidConfig', message });
  await refused({ ...task(), params: { generator: 1 } }, /train:toy: params\.generator: expected text/);
  await refused(
    { ...task(), inputs: {} },
    /input cohort of train:toy: expected one token-cohort, found nothing/,
  );
  const model = { kind: 'model', digest: 'c'.repeat(64) };
  await refused({ ...task(), inputs: { cohort: model } }, /expected one token-cohort, found model/);
  await refused({ ...task(), inputs: { cohort: [cohort] } }, /expected one token-cohort/);
});

test('a source that takes long to digest does not look dead', async (t) => {
  const store = await newStore(t);
  const slow = { ...toyBodies.train, fingerprint: () => sleep(60, 'digest') };
  const host = localHost({ heartbeatMs: 40 });
  const { ref } = await runStage(stages.train, slow, task(), { store, engine: 'e' }, host);
  t.is(host.steps[0], 0, 'a beat before the first step');
  t.is((await store.open(ref)).manifest.lineage.fingerprint, 'digest');
});

/** Resolves once a phase has been beaten for three times; a hundred times as long as that takes otherwise. */
const beaten = async (host: LocalHost, phase: string): Promise<boolean> => {
  const enough = () => host.phases.filter((found) => found === phase).length >= 3;
  for (let turn = 0; turn < 300 && !enough(); turn++) await sleep(10);
  return enough();
};

test('whatever of the store is slow, heartbeats go on and name it', async (t) => {
  const waits: Partial<Record<keyof Store, string>> = {
    cached: 'looking in the cache',
    history: 'looking in the history',
    draft: 'starting an artifact',
    readCheckpoint: '',
    writeCheckpoint: 'writing a checkpoint',
    remember: 'writing the cache',
    dropCheckpoint: 'writing the cache',
  };
  for (const [method, phase] of Object.entries(waits)) {
    const host = localHost({ heartbeatMs: 40 });
    const store = await newStore(t);
    const slow = async (...args: unknown[]) => {
      t.true(await beaten(host, phase), `${method}: ${host.phases.join()}`);
      return Reflect.apply(store[method as keyof Store], store, args);
    };
    await train({ ...store, [method]: slow }, task({ steps: 1 }), host);
  }
});

test('a draft whose files are slow to write does not look dead', async (t) => {
  const store = await newStore(t);
  const host = localHost({ heartbeatMs: 40 });
  const draft: Store['draft'] = async (kind) => {
    const made = await store.draft(kind);
    return {
      ...made,
      write: async (file, content) => {
        t.true(await beaten(host, 'toy'), host.phases.join());
        return made.write(file, content);
      },
      commit: async (header) => {
        t.true(await beaten(host, 'committing'), host.phases.join());
        return made.commit(header);
      },
    };
  };
  await train({ ...store, draft }, task({ steps: 1 }), host);
});

test('a checkpoint that is never written ends the attempt, and nothing waits for the store', async (t) => {
  const store = await newStore(t);
  let signal: AbortSignal | undefined;
  const hanging: Store = {
    ...store,
    writeCheckpoint: (_key, _checkpoint, watch) => {
      signal = watch?.signal;
      return new Promise(() => undefined);
    },
    draft: async (kind) => ({ ...(await store.draft(kind)), discard: () => new Promise(() => undefined) }),
  };
  const host = localHost({ heartbeatMs: 40, storeMs: 200 });
  const error = await t.throwsAsync(train(hanging, task(), host), { name: 'Stalled' });
  t.is(error?.message, 'after step 1 of 5, writing a checkpoint, nothing came to an end for 0.00333 minutes');
  t.is(signal?.reason, error, 'a write that goes on after all knows that it must not take its place');
  t.true(host.phases.filter((phase) => phase === 'writing a checkpoint').length >= 3);
});

test('a checkpoint may take longer than the limit as long as it makes progress', async (t) => {
  const store = await newStore(t);
  const writeCheckpoint: Store['writeCheckpoint'] = async (key, checkpoint, watch) => {
    for (let portion = 0; portion < 8; portion++) {
      await sleep(200);
      watch?.progressed();
    }
    return store.writeCheckpoint(key, checkpoint, watch);
  };
  const host = localHost({ storeMs: 1000 });
  await t.notThrowsAsync(train({ ...store, writeCheckpoint }, task({ steps: 1 }), host));
});

test('who is to stop does so, even where the last checkpoint cannot be written', async (t) => {
  const host = localHost({ stopAfter: 2, storeMs: 100 });
  const writeCheckpoint = () => new Promise<never>(() => undefined);
  const store = { ...(await newStore(t)), writeCheckpoint };
  await t.throwsAsync(train(store, task({}, { checkpointEvery: 1000 }), host), { message: 'machine lost' });
  t.regex(host.warnings.join(), /"failure":"Stalled".*no checkpoint on the way out/);
});
