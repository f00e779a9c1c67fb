import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type { Bodies } from '../../../activities/index.ts';
import type { RunSnapshot } from '../../../infra/cli/run-view.ts';
import { startLocalRun } from '../../../infra/local/local-run.ts';
import { inThisProcess, type Performer } from '../../../infra/local/stage-attempt.ts';
import { createLog } from '../../../infra/log.ts';
import { createFileStore } from '../../../infra/store/fs.ts';
import { type FailureCode, StageError } from '../../../schemas/errors.ts';
import type { Plan } from '../../../schemas/plan.ts';
import type { Store } from '../../../schemas/store.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';
import { toyBodies } from '../../helpers/toy-bodies.ts';
import { toyPlan, toySource } from '../../helpers/toy-plan.ts';

const setUp = async (t: ExecutionContext) => {
  const folder = await tempFolder(t);
  return { store: createFileStore(`${folder}/store`), source: await toySource(folder) };
};
const toys = (store: Store, bodies: Bodies = toyBodies): Performer =>
  inThisProcess({ store, bodies, log: createLog('silent'), backend: 'toy' });
const run = (plan: Plan, performer: Performer): Promise<RunSnapshot> =>
  startLocalRun(plan, 'local-1', performer).ended;
const nodeOf = ({ nodes }: RunSnapshot, id: string) => nodes.find((node) => node.id === id);
const states = ({ nodes }: RunSnapshot) => Object.fromEntries(nodes.map(({ id, state }) => [id, state]));

/** Toy bodies whose training fails with a code at its first `times` attempts, after two saved steps. */
const stumbling = (code: FailureCode, times: number) => {
  const attempts: number[] = [];
  const train: Bodies['train'] = {
    ...toyBodies.train,
    async *run(task, tools) {
      attempts.push(attempts.length + 1);
      let steps = 0;
      for await (const progress of toyBodies.train.run(task, tools)) {
        yield progress;
        steps += 1;
        if (attempts.length <= times && steps === 2) throw new StageError(code, 'stumbled');
      }
      return {};
    },
  };
  return { attempts, bodies: { ...toyBodies, train } };
};

test('a branch that fails costs its part of the report and not the run', async (t) => {
  const { store, source } = await setUp(t);
  const last = await run(toyPlan(source, { x: { steps: 2 }, bad: { divergeAt: 2 } }), toys(store));
  t.is(last.state, 'completed');
  t.like(states(last), { 'train:bad': 'failed', 'generate:bad': 'skipped', 'privacy:bad': 'skipped' });
  t.deepEqual(nodeOf(last, 'train:bad')?.failure, { code: 'Diverged', message: 'loss is NaN at step 2' });
  const ref = nodeOf(last, 'report')?.result?.ref;
  if (!ref) return t.fail('no report');
  const text = Buffer.from(await (await store.open(ref)).bytes('text')).toString();
  t.is(text, 's(g(x:2.5))+u(g(x:2.5))+p(g(x:2.5))');
});

test('a run whose required node fails is RunFailed in the words of the workflow', async (t) => {
  const { store, source } = await setUp(t);
  const last = await run(toyPlan(source, { bad: { divergeAt: 2 } }), toys(store));
  t.is(last.state, 'failed');
  t.deepEqual(last.failure, {
    code: 'RunFailed',
    message:
      'no output of train:bad, generate:bad, similarity:bad, utility:bad, privacy:bad, report; ' +
      'failed: train:bad (Diverged: loss is NaN at step 2)',
  });
});

test('a failure that may pass is retried from the checkpoint, as often as the policy allows', async (t) => {
  const { store, source } = await setUp(t);
  const plan = toyPlan(source, { x: { steps: 4 } });
  const { attempts, bodies } = stumbling('StoreUnavailable', 1);
  const local = startLocalRun(plan, 'local-1', toys(store, bodies));
  const seen = new Set<string>();
  const watch = setInterval(() => seen.add(nodeOf(local.snapshot(), 'train:x')?.lastFailure ?? ''), 20);
  const last = await local.ended;
  clearInterval(watch);
  t.is(last.state, 'completed');
  t.deepEqual(attempts, [1, 2]);
  t.true(seen.has('stumbled'), 'the screen shows why there is a second attempt');
  const ref = nodeOf(last, 'train:x')?.result?.ref;
  if (!ref) return t.fail('no model');
  t.like((await store.open(ref)).manifest.recorded, { attempt: 2, resumedFrom: 2, run: 'local-1' });

  const limited = { ...plan, nodes: plan.nodes.map((n) => ({ ...n, policy: { ...n.policy, attempts: 1 } })) };
  const once = stumbling('StoreUnavailable', 9);
  const other = await setUp(t);
  t.is((await run(limited, toys(other.store, once.bodies))).state, 'failed');
  t.deepEqual(once.attempts, [1]);
});

test('a failure that no retry helps is not retried', async (t) => {
  const { store, source } = await setUp(t);
  const { attempts, bodies } = stumbling('TooFewPatients', 9);
  const last = await run(toyPlan(source, { x: { steps: 4 } }), toys(store, bodies));
  t.is(nodeOf(last, 'train:x')?.failure?.code, 'TooFewPatients');
  t.deepEqual(attempts, [1]);
});

test('after a lost device this process does no more work; the next run goes on', async (t) => {
  const { store, source } = await setUp(t);
  const plan = toyPlan(source, { x: { steps: 4 }, y: { steps: 3 } });
  const { bodies } = stumbling('DeviceLost', 1);
  const last = await run(plan, toys(store, bodies));
  t.is(last.state, 'failed');
  t.like(states(last), { 'train:x': 'failed', 'train:y': 'skipped', report: 'skipped' });
  t.is(nodeOf(last, 'train:y')?.failure?.code, 'Canceled');
  const again = await run(plan, toys(store));
  t.is(again.state, 'completed');
  const ref = nodeOf(again, 'train:x')?.result?.ref;
  if (!ref) return t.fail('no model');
  t.is((await store.open(ref)).manifest.recorded.resumedFrom, 2);
});

test('a canceled run saves first, and the next one ends with the bytes of an undisturbed one', async (t) => {
  const { store, source } = await setUp(t);
  const plan = toyPlan(source, { x: { steps: 30, sleepMs: 10 } }, 1000);
  const stop = new AbortController();
  const local = startLocalRun(plan, 'local-1', toys(store), stop.signal);
  while ((nodeOf(local.snapshot(), 'train:x')?.beat?.progress.step ?? 0) < 3) await sleep(5);
  stop.abort();
  const first = await local.ended;
  t.is(first.state, 'canceled');
  t.like(states(first), { extract: 'done', 'train:x': 'skipped', report: 'skipped' });

  const second = await run(plan, toys(store));
  const ref = nodeOf(second, 'train:x')?.result?.ref;
  if (!ref) return t.fail('no model');
  t.true(((await store.open(ref)).manifest.recorded.resumedFrom ?? 0) >= 3);
  t.is(nodeOf(second, 'extract')?.state, 'cached');
  const whole = await run(plan, toys((await setUp(t)).store));
  t.deepEqual(ref, nodeOf(whole, 'train:x')?.result?.ref);
});

test('no more attempts at once than there are places, and no more of queue gpu than it has', async (t) => {
  const { source } = await setUp(t);
  const plan = toyPlan(source, { a: {}, b: {}, c: {} });
  const mostOf = async (atOnce: Performer['atOnce'], queues: string[]) => {
    let [now, most] = [0, 0];
    const performer: Performer = {
      atOnce,
      replaces: true,
      perform: async (_order, queue) => {
        if (queues.includes(queue)) most = Math.max(most, ++now);
        await sleep(5);
        if (queues.includes(queue)) now -= 1;
        const ref = { kind: 'report', digest: 'f'.repeat(64) } as const;
        return { result: { ref, cached: false, why: '', summary: {} } };
      },
      close: async () => undefined,
    };
    t.is((await run(plan, performer)).state, 'completed');
    return most;
  };
  t.is(await mostOf({ all: 1, gpu: 1 }, ['cpu', 'gpu']), 1);
  t.is(await mostOf({ all: 3, gpu: 1 }, ['gpu']), 1);
  t.is(await mostOf({ all: 3, gpu: 3 }, ['cpu', 'gpu']), 3);
});
