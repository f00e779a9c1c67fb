import { z } from 'zod';
import { defineCommand } from './command.ts';
import { configOption } from './config-option.ts';
import { loadConfig } from './load-config.ts';
import { runId } from './run-id.ts';
import { withClient } from './with-client.ts';

export const runCommand = defineCommand({
  name: 'run',
  summary: 'start a run: source tables to synthetic cohorts, scorecards and report',
  positionals: z.object({}),
  options: z.object({
    config: configOption,
    wait: z.boolean().default(false).describe('follow the run to its end and exit as it does'),
  }),
  async run({ config: file, wait }, io) {
    const config = await loadConfig(file);
    // The worker compiles the plan again with its own code; compiling it here first reports mistakes at once.
    const { compile } = await import('../../pipelines/plan/compile.ts');
    const { nightly } = await import('../../pipelines/plan/nightly.ts');
    compile(nightly, config);
    return withClient(async (client) => {
      const run = runId(config.name, new Date());
      await client.workflow.start('pipelineRun', { workflowId: run, taskQueue: 'cpu', args: [config] });
      if (!wait) {
        io.out(run);
        io.err(`started; follow it with \`understudy watch ${run}\``);
        return { run };
      }
      io.err(`started ${run}`);
      const { demandSuccess, follow } = await import('./follow.ts');
      const snapshot = await follow(client, run, io).finally(() => {
        if (io.signal.aborted) io.err(`${run} goes on; follow it with \`understudy watch ${run}\``);
      });
      demandSuccess(snapshot);
      return snapshot;
    });
  },
});
