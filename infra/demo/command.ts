import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import { z } from 'zod';
import { localPath } from '../../schemas/local-path.ts';
import type { RunConfig } from '../../schemas/run-config.ts';
import { type CommandIo, defineCommand } from '../cli/command.ts';
import { FailedOutcome } from '../cli/failure-report.ts';
import { loadConfig } from '../cli/load-config.ts';
import { shownPath, showResults } from '../cli/run-results.ts';
import { durationText, type RunSnapshot } from '../cli/run-view.ts';
import { followToEnd, startRun } from '../cli/temporal-run.ts';
import { connectClient } from '../connect.ts';
import { type Stack, startStack } from '../stack.ts';
import { createFileStore } from '../store/fs.ts';
import { inventedConfig, plantCopies } from './invented.ts';
import { compareBigrams, leaderboard, readCards } from './leaderboard.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Runs under the present name of the workflow, and under its first one. */
const runTypes = "WorkflowType IN ('pipelineRun', 'regenerate')";

/** Ends the runs that an interrupted demo has left. Their checkpoints serve the new run. */
const endLeftovers = async (client: Client, io: CommandIo): Promise<void> => {
  const running = client.workflow.list({ query: `${runTypes} AND ExecutionStatus='Running'` });
  for await (const { workflowId } of running) {
    await client.workflow.getHandle(workflowId).terminate('a new demo takes over');
    io.out(`${workflowId} was interrupted; this run continues from its checkpoints`);
  }
};

/** Runs the config and draws it; gives up when a part of the stack does. Throws as the run failed. */
const runDemo = async (client: Client, stack: Stack, config: RunConfig, io: CommandIo) => {
  await endLeftovers(client, io);
  const run = await startRun(client, config);
  const ending = new AbortController();
  const signal = AbortSignal.any([io.signal, ending.signal]);
  const following = followToEnd(client, run, { ...io, signal });
  try {
    return await Promise.race([following, stack.broken]);
  } finally {
    // What is under way on the connection must end before the connection does.
    ending.abort();
    await following.catch(() => undefined);
  }
};

const showScores = async (snapshot: RunSnapshot, folder: string, io: CommandIo) => {
  const store = join(folder, 'store');
  const cards = await readCards(createFileStore(store), snapshot.nodes);
  io.out(`\nAgainst the real training patients (R²: 1 is best):\n${leaderboard(cards)}\n`);
  const results = await showResults(snapshot, { store, out: folder }, io.out);
  if (snapshot.nodes.every(({ state }) => state === 'cached'))
    io.out('  Every node was in the cache: nothing was computed.');
  const scores = compareBigrams(cards, 'halo');
  const scoresThat = (ahead: boolean) =>
    scores
      .filter((score) => score.ahead === ahead)
      .map(({ text }) => text)
      .join('; ');
  if (scores.some(({ ahead }) => !ahead))
    throw new FailedOutcome('RunFailed', `HALO is not ahead of the baseline on ${scoresThat(false)}`, {
      ...snapshot,
    });
  io.out(`HALO is ahead of independent marginals. ${scoresThat(true)}.`);
  return { ...results, cards };
};

/**
 * `npm run demo`: server, workers, a run of infra/demo.yaml, its leaderboard and report; then all is stopped.
 */
export const demoCommand = defineCommand({
  name: 'demo',
  summary:
    'run the pipeline on the MIMIC-III demo with HALO and PromptEHR on a server and workers of its own',
  positionals: z.object({}),
  options: z.object({
    keep: z.boolean().default(false).describe('leave server, UI and workers up until Ctrl-C'),
    folder: localPath.default(join(root, 'demo')).describe('folder for store, report, logs and database'),
    config: z
      .string()
      .default(join(root, 'infra', 'demo.yaml'))
      .describe('run config'),
    invented: z
      .int()
      .min(100)
      .max(100_000)
      .optional()
      .describe(
        'run on so many invented patients instead, enough for a report with answers; then on a cohort with planted copies, which must fail',
      ),
  }),
  async run({ keep, folder: asked, config: real, invented }, io) {
    const started = performance.now();
    const folder = invented === undefined ? asked : join(asked, `invented-${invented}`);
    const config = invented === undefined ? real : await inventedConfig(folder, invented, io);
    const storeFolder = join(folder, 'store');
    const run = await loadConfig(config, storeFolder);
    await mkdir(folder, { recursive: true });
    io.out('Starting a Temporal server, a cpu worker and a gpu worker …');
    const stack = await startStack({ folder, store: storeFolder, say: io.err });
    try {
      io.out(`UI      ${stack.server.ui}\nlogs    ${shownPath(stack.logs)}\n`);
      const client = await connectClient({ address: stack.server.address, namespace: 'default' });
      try {
        const snapshot = await runDemo(client, stack, run, io);
        const result = await showScores(snapshot, folder, io);
        const planted = invented === undefined ? undefined : await plantCopies(snapshot, folder, io);
        io.out(`Took ${durationText((performance.now() - started) / 1000)}.`);
        if (keep) {
          io.out(
            `\nStill up: ${stack.server.ui} (Temporal UI), server ${stack.server.address}. Ctrl-C stops everything.`,
          );
          await Promise.race([io.signal.aborted || once(io.signal, 'abort'), stack.broken]);
        }
        return { ...snapshot, ...result, planted };
      } finally {
        await client.connection.close();
      }
    } finally {
      await stack.stop();
    }
  },
});
