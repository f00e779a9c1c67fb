import test from 'ava';
import { startCrew, startRun, untilBeating } from './helpers/chaos.ts';
import { tempFolder } from './helpers/temp-folder.ts';
import { withBench } from './helpers/temporal-bench.ts';
import { toyPlan, toySource } from './helpers/toy-plan.ts';

const bench = withBench(test);

test.serial('a gpu worker told to stop saves first, and another goes on from there', async (t) => {
  const crew = await startCrew(t, bench(), 'relieved', 'toy');
  const source = await toySource(await tempFolder(t));
  const run = await startRun(bench(), toyPlan(source, { x: { steps: 60, sleepMs: 100 } }, 1000));
  await untilBeating(run, 'train');
  await crew.relieve('gpu');
  const result = await crew.during(run.result());
  await crew.stop();
  const ref = result.refs['train:x'];
  if (!ref) return t.fail('no model');
  const { recorded } = (await crew.store.open(ref)).manifest;
  const { events } = await bench().client.workflow.getHandle(run.workflowId).fetchHistory();
  const retry = events?.find((event) => (event.activityTaskStartedEventAttributes?.attempt ?? 0) > 1);
  const { type } = retry?.activityTaskStartedEventAttributes?.lastFailure?.applicationFailureInfo ?? {};
  t.is(type, 'WorkerShutdown', 'told at once, not noticed by a missing heartbeat');
  t.true((recorded.resumedFrom ?? 0) > 0, 'nothing but the shutdown saves that seldom');
  t.true(recorded.attempt > 1);
});

test.serial('after a lost device the worker ends, and a fresh one goes on from the checkpoint', async (t) => {
  const crew = await startCrew(t, bench(), 'lost', 'toy');
  const source = await toySource(await tempFolder(t));
  const run = await startRun(bench(), toyPlan(source, { x: { steps: 4, stumbleAt: 2 } }));
  const result = await crew.during(run.result());
  await crew.stop();
  const ref = result.refs['train:x'];
  if (!ref) return t.fail('no model');
  const { recorded } = (await crew.store.open(ref)).manifest;
  t.deepEqual(crew.deaths, { cpu: 0, gpu: 1 });
  t.is(recorded.attempt, 2);
  t.true((recorded.resumedFrom ?? 0) > 0);
});
