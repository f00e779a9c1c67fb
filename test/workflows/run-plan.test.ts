import { randomUUID } from 'node:crypto';
import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import test, { type ExecutionContext } from 'ava';
import { createFileStore } from '../../infra/store/fs.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { NodeStatus } from '../../schemas/progress.ts';
import type { Store } from '../../schemas/store.ts';
import type { pipelineRun, runPlan } from '../../workflows/index.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { withBench } from '../helpers/temporal-bench.ts';
import { toyBodies } from '../helpers/toy-bodies.ts';
import { toyPlan, toySource } from '../helpers/toy-plan.ts';

const bench = withBench(test);

const start = (plan: Plan) =>
  bench().client.workflow.start<typeof runPlan>('runPlan', {
    taskQueue: 'cpu',
    workflowId: `test-${randomUUID()}`,
    args: [plan],
  });
const statusOf = (handle: Pick<WorkflowHandle, 'query' | 'result'>): Promise<NodeStatus[]> =>
  handle.query<NodeStatus[]>('status');
const states = (nodes: NodeStatus[]) => Object.fromEntries(nodes.map(({ id, state }) => [id, state]));
const text = async (store: Store, digest: string | undefined) =>
  Buffer.from(await (await store.open({ kind: 'report', digest: digest ?? '' })).bytes('text')).toString();

const setUp = async (t: ExecutionContext) => {
  const folder = await tempFolder(t);
  return { folder, store: createFileStore(join(folder, 'store')), source: await toySource(folder) };
};
const failureOf = async (handle: Pick<WorkflowHandle, 'query' | 'result'>) => {
  try {
    await handle.result();
  } catch (error) {
    if (error instanceof WorkflowFailedError) return error.cause;
    throw error;
  }
  throw new Error('the run was expected to fail');
};

test.serial('a run goes through the whole DAG; run again, it does no work and says why', async (t) => {
  const { store, source } = await setUp(t);
  const plan = toyPlan(source, { x: { steps: 2 }, y: { steps: 3 } });
  await bench().during(store, toyBodies, async () => {
    const first = await start(plan);
    const result = await first.result();
    t.is(
      await text(store, result.refs['report']?.digest),
      's(g(x:2.5))+u(g(x:2.5))+p(g(x:2.5))+s(g(y:4.25))+u(g(y:4.25))+p(g(y:4.25))',
    );
    t.deepEqual(result.failed, []);
    t.true((await statusOf(first)).every(({ state }) => state === 'done'));

    const second = await start(plan);
    t.deepEqual((await second.result()).refs, result.refs);
    for (const { state, result: node } of await statusOf(second)) {
      t.is(state, 'cached');
      t.regex(node?.why ?? '', new RegExp(`^same stage version, .* as ${first.workflowId} at `));
    }

    const third = await start(toyPlan(source, { x: { steps: 2 }, y: { steps: 4 } }));
    await third.result();
    const whys = (await statusOf(third))
      .filter(({ state }) => state === 'done')
      .map((n) => [n.id, n.result?.why]);
    t.deepEqual(whys, [
      ['train:y', 'param config.steps 3 -> 4'],
      ['generate:y', 'input model changed'],
      ['similarity:y', 'input synthetic changed; input models changed'],
      ['utility:y', 'input synthetic changed; input models changed'],
      ['privacy:y', 'input synthetic changed; input models changed'],
      ['report', 'input models changed; input synthetic changed; input cards changed'],
    ]);
  });
});

test.serial(
  'a training starts from its model, and does not start at all where that cannot be had',
  async (t) => {
    const { store, source } = await setUp(t);
    const configs = { x: { steps: 2 }, y: { steps: 2 }, z: { steps: 2 } };
    const plan = toyPlan(source, configs, 0, { x: 'there', y: 'none' });
    await bench().during(store, toyBodies, async () => {
      const run = await start(plan);
      const result = await run.result();
      const [x, z] = ['g(x<m(x):2.5)', 'g(z:2.5)'];
      t.is(
        await text(store, result.refs['report']?.digest),
        [x, z].flatMap((of) => ['s', 'u', 'p'].map((stage) => `${stage}(${of})`)).join('+'),
      );
      t.like(states(await statusOf(run)), {
        'import-model:x': 'done',
        'import-model:y': 'failed',
        'train:y': 'skipped',
        'generate:y': 'skipped',
      });
    });
  },
);

test.serial(
  'a training starts from a model of the store, and workers may have the store elsewhere',
  async (t) => {
    const { folder, store, source } = await setUp(t);
    const first = await bench().during(store, toyBodies, async () =>
      (await start(toyPlan(source, { x: { steps: 2 } }))).result(),
    );
    const model = first.refs['train:x'];
    await rename(join(folder, 'store'), join(folder, 'elsewhere'));
    const moved = createFileStore(join(folder, 'elsewhere'));
    const plan = toyPlan(source, { x: { steps: 3 } }, 0, { x: `model:${model?.digest}` });
    await bench().during(moved, toyBodies, async () => {
      const run = await start(plan);
      const result = await run.result();
      t.is(
        await text(moved, result.refs['report']?.digest),
        ['s', 'u', 'p'].map((stage) => `${stage}(g(x<x:2.5:4.25))`).join('+'),
      );
      t.false('import-model:x' in result.refs);
      const trained = await moved.open(result.refs['train:x'] ?? { kind: 'model', digest: '' });
      t.deepEqual(
        trained.manifest.lineage.inputs['from'],
        [model],
        'lineage goes on through the model itself',
      );
      t.false(JSON.stringify(await run.fetchHistory()).includes(join(folder, 'store')));
    });
  },
);

test.serial('a branch that fails costs its part of the report and not the run', async (t) => {
  const { store, source } = await setUp(t);
  await bench().during(store, toyBodies, async () => {
    const run = await start(toyPlan(source, { x: { steps: 2 }, bad: { divergeAt: 2 } }));
    const result = await run.result();
    t.is(await text(store, result.refs['report']?.digest), 's(g(x:2.5))+u(g(x:2.5))+p(g(x:2.5))');
    t.deepEqual(result.failed, [
      { id: 'train:bad', code: 'Diverged' },
      { id: 'generate:bad', code: 'Skipped' },
      { id: 'similarity:bad', code: 'Skipped' },
      { id: 'utility:bad', code: 'Skipped' },
      { id: 'privacy:bad', code: 'Skipped' },
    ]);
    const row = (await statusOf(run)).find(({ id }) => id === 'train:bad');
    t.deepEqual(row?.failure, { code: 'Diverged', message: 'loss is NaN at step 2' });
  });
});

test.serial('a run whose required node fails is RunFailed and names nodes and codes', async (t) => {
  const { store, source } = await setUp(t);
  await bench().during(store, toyBodies, async () => {
    const run = await start(toyPlan(source, { bad: { divergeAt: 2 } }));
    const failure = await failureOf(run);
    t.true(failure instanceof ApplicationFailure);
    t.is((failure as ApplicationFailure).type, 'RunFailed');
    t.is(
      failure?.message,
      'no output of train:bad, generate:bad, similarity:bad, utility:bad, privacy:bad, report; ' +
        'failed: train:bad (Diverged: loss is NaN at step 2)',
    );
    t.is(states(await statusOf(run))['report'], 'skipped');
    const none = await start(toyPlan(join(source, 'none'), { x: {} }));
    t.regex((await failureOf(none))?.message ?? '', /failed: extract \(SourceMissing: ENOENT/);
  });
});

test.serial('a passing failure is retried, and the retry goes on from the checkpoint', async (t) => {
  const { store, source } = await setUp(t);
  await bench().during(store, toyBodies, async () => {
    const result = await (await start(toyPlan(source, { x: { steps: 4, stumbleAt: 2 } }))).result();
    const ref = result.refs['train:x'];
    if (!ref) return t.fail('no model');
    const { recorded } = (await store.open(ref)).manifest;
    t.like(recorded, { attempt: 2, resumedFrom: 2 });
  });
});

test.serial('a canceled run saves what it has; the next one goes on from there', async (t) => {
  const { folder, store, source } = await setUp(t);
  const plan = toyPlan(source, { x: { steps: 40, sleepMs: 100 } });
  await bench().during(store, toyBodies, async () => {
    const first = await start(plan);
    while ((await readdir(join(folder, 'store', 'checkpoints')).catch(() => [])).length === 0)
      await sleep(50);
    await first.cancel();
    t.true((await failureOf(first)) instanceof CancelledFailure);
    t.like(states(await statusOf(first)), { 'train:x': 'skipped', report: 'skipped', extract: 'done' });
    const ref = (await (await start(plan)).result()).refs['train:x'];
    if (!ref) return t.fail('no model');
    t.true(((await store.open(ref)).manifest.recorded.resumedFrom ?? 0) > 0);
  });
});

test.serial('a config that does not compile fails the run with its own code and key', async (t) => {
  const { store, source } = await setUp(t);
  await bench().during(store, toyBodies, async () => {
    const run = await bench().client.workflow.start<typeof pipelineRun>('pipelineRun', {
      taskQueue: 'cpu',
      workflowId: `test-${randomUUID()}`,
      args: [{ source, generators: [{ name: 'hallo', config: {} }] } as never],
    });
    const failure = await failureOf(run);
    t.is((failure as ApplicationFailure).type, 'InvalidConfig');
    t.regex(failure?.message ?? '', /^generators\[0\]: there is no generator "hallo"/);
    t.deepEqual(await statusOf(run), []);
  });
});
