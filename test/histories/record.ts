/**
 * Records histories of real runs for the replay tests: `node test/histories/record.ts`. Do it when a workflow is
 * released that can do something new; never delete an old history, or runs in flight may break unseen.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectClient } from '../../infra/connect.ts';
import { startTemporal } from '../../infra/temporal.ts';
import { compile } from '../../pipelines/plan/compile.ts';
import { nightly } from '../../pipelines/plan/nightly.ts';
import { runConfig } from '../../schemas/run-config.ts';
import type { pipelineRun, runPlan } from '../../workflows/index.ts';
import { type Ground, startCrew, untilBeating } from '../helpers/chaos.ts';
import { readable, toPlain } from '../helpers/history-file.ts';
import { impatient } from '../helpers/toy-plan.ts';

const folder = fileURLToPath(new URL('./', import.meta.url));
const repository = fileURLToPath(new URL('../../', import.meta.url));

const small = { layers: 1, heads: 2, embedding: 16, batch: 16, epochs: 4 };
const config = (halo: Record<string, number>) =>
  runConfig.parse({
    source: 'test/fixtures/mimic3-demo',
    checkpointEvery: 0,
    generators: ['marginal', { name: 'halo', config: halo }],
  });

/** Identities and sticky queues name the machine, stacks its folders; none is needed for replay. */
const scrub = (value: unknown, key = ''): unknown => {
  if (key === 'identity') return 'somebody';
  if (key === 'stackTrace') return '';
  if (key === 'name' && typeof value === 'string' && value.includes('@')) return 'sticky';
  if (Array.isArray(value)) return value.map((item) => scrub(item));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, scrub(member, name)]));
  return value;
};

const telling = [hostname(), repository, userInfo().homedir, tmpdir(), process.cwd()];

const keep = async (name: string, history: Parameters<typeof toPlain>[0]): Promise<void> => {
  const clean = scrub(toPlain(history));
  const words = readable(clean).split(/[^\w/.-]+/);
  const found = telling.filter((word) => words.some((said) => said === word || said.startsWith(`${word}/`)));
  if (found.length > 0) throw new Error(`the history ${name} tells of this machine: ${found.join(', ')}`);
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify(clean, null, 1)}\n`);
  console.log(`${name}.json`);
};

const record = async (bench: Ground, teardown: { teardown(stop: () => unknown): void }): Promise<void> => {
  const { client } = bench;
  const regenerated = async (name: string, halo: Record<string, number>) => {
    const run = await client.workflow.start<typeof pipelineRun>('pipelineRun', {
      taskQueue: 'cpu',
      workflowId: name,
      args: [config(halo)],
    });
    await run.result();
    await keep(name, await run.fetchHistory());
  };
  const planned = (name: string, halo: Record<string, number>) =>
    client.workflow.start<typeof runPlan>('runPlan', {
      taskQueue: 'cpu',
      workflowId: name,
      args: [impatient(compile(nightly, config(halo)))],
    });

  const crew = await startCrew(teardown, bench, 'steady', 'real');
  await regenerated('complete', small);
  await regenerated('cached', small);
  await regenerated('failed-branch', { ...small, heads: 3 });
  const canceled = await planned('canceled', { ...small, epochs: 400 });
  await untilBeating(canceled, 'train');
  await canceled.cancel();
  await canceled.result().catch(() => undefined);
  await keep('canceled', await canceled.fetchHistory());
  await crew.stop();

  const mortal = await startCrew(teardown, bench, 'mortal', 'real', {
    gpu: 'kill:train:9',
    cpu: 'kill:extract:3',
  });
  const retried = await planned('retried', small);
  await mortal.during(retried.result());
  await keep('retried', await retried.fetchHistory());
  await mortal.stop();
};

const home = await mkdtemp(join(tmpdir(), 'understudy-record-'));
const server = await startTemporal({ folder: join(home, 'temporal'), uiPort: false });
const client = await connectClient({ address: server.address, namespace: 'default' });
const stops: (() => unknown)[] = [];
try {
  await record({ folder: home, server, client }, { teardown: (stop) => stops.push(stop) });
} finally {
  await Promise.all(stops.map((stop) => stop()));
  await client.connection.close();
  await server.stop();
  await rm(home, { recursive: true, force: true });
}
