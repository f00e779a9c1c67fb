import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { compile } from '../pipelines/plan/compile.ts';
import { nightly } from '../pipelines/plan/nightly.ts';
import type { Plan } from '../schemas/plan.ts';
import type { RunResult } from '../schemas/progress.ts';
import { runConfig } from '../schemas/run-config.ts';
import type { Store } from '../schemas/store.ts';
import { startCrew, startRun, untilBeating } from './helpers/chaos.ts';
import { withBench } from './helpers/temporal-bench.ts';
import { impatient, without } from './helpers/toy-plan.ts';

const bench = withBench(test);

/** The real demo tables and a HALO so small that it trains in some twenty steps, each of them saved. */
const whole: Plan = impatient(
  compile(
    nightly,
    runConfig.parse({
      source: 'test/fixtures/mimic3-demo',
      checkpointEvery: 0,
      generators: [{ name: 'halo', config: { layers: 1, heads: 2, embedding: 16, batch: 16, epochs: 4 } }],
    }),
  ),
);

/** The other measures only take time here. */
const plan = without(whole, ['utility', 'privacy']);

const recordedOf = async (store: Store, result: RunResult, id: string) => {
  const ref = result.refs[id];
  if (!ref) throw new Error(`no output of ${id}`);
  return (await store.open(ref)).manifest.recorded;
};

/** The result of a run that nothing disturbs, made once, by whichever test asks first. */
let first: Promise<RunResult> | undefined;
const undisturbed = (t: ExecutionContext): Promise<RunResult> => {
  const run = async () => {
    const crew = await startCrew(t, bench(), 'undisturbed', 'real');
    const result = await crew.during((await startRun(bench(), plan)).result());
    await crew.stop();
    t.deepEqual(crew.deaths, { cpu: 0, gpu: 0 });
    return result;
  };
  first ??= run();
  return first;
};

test.serial('an undisturbed run makes every output', async (t) => {
  t.is(Object.keys((await undisturbed(t)).refs).length, plan.nodes.length);
});

test.serial(
  'a gpu worker killed in mid-training: another goes on and ends with the same digests',
  async (t) => {
    const crew = await startCrew(t, bench(), 'gpu-killed', 'real', { gpu: 'kill:train:9' });
    const result = await crew.during((await startRun(bench(), plan)).result());
    await crew.stop();
    t.deepEqual(crew.deaths, { cpu: 0, gpu: 1 });
    const recorded = await recordedOf(crew.store, result, 'train:halo');
    t.is(recorded.attempt, 2);
    t.is(recorded.resumedFrom, 9);
    t.deepEqual(result, await undisturbed(t));
  },
);

test.serial(
  'a cpu worker killed in mid-extraction: another does it again, with the same digests',
  async (t) => {
    const crew = await startCrew(t, bench(), 'cpu-killed', 'real', { cpu: 'kill:extract:3' });
    const result = await crew.during((await startRun(bench(), plan)).result());
    await crew.stop();
    t.deepEqual(crew.deaths, { cpu: 1, gpu: 0 });
    t.is((await recordedOf(crew.store, result, 'extract')).attempt, 2);
    t.deepEqual(result, await undisturbed(t));
  },
);

test.serial('the Temporal server killed in mid-training: the run ends with the same digests', async (t) => {
  const crew = await startCrew(t, bench(), 'server-killed', 'real');
  const run = await startRun(bench(), plan);
  await untilBeating(run, 'train');
  await bench().server.kill();
  await sleep(1000);
  bench().server = await bench().server.restart();
  const result = await crew.during(run.result());
  await crew.stop();
  t.deepEqual(result, await undisturbed(t));
  t.deepEqual(crew.deaths, { cpu: 0, gpu: 0 });
});
