import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import { localPath } from '../../schemas/local-path.ts';
import { defineCommand } from './command.ts';
import { configOption } from './config-option.ts';
import { loadConfig } from './load-config.ts';
import { withClient } from './with-client.ts';

export const runCommand = defineCommand({
  name: 'run',
  summary: 'start a run: source tables to synthetic cohorts, scorecards and report',
  positionals: z.object({}),
  options: z.object({
    config: configOption,
    wait: z.boolean().default(false).describe('follow the run to its end and exit as it does'),
    local: z
      .boolean()
      .default(false)
      .describe('run it in this process, without a server; after an interruption the same command continues'),
    workers: z
      .int()
      .min(1)
      .max(256)
      .optional()
      .describe('with `--local`: run up to so many stages at once, each in a process of its own'),
    out: localPath
      .optional()
      .describe(
        'with `--wait` or `--local`: folder for copies of the report (report.html, report.json) and of the data sets that the config asks for',
      ),
  }),
  async run({ config: file, wait, local, workers, out }, io) {
    if (workers !== undefined && !local)
      throw new StageError(
        'InvalidUsage',
        '--workers is for runs with --local; a server has its own workers',
      );
    if (out !== undefined && !(wait || local))
      throw new StageError(
        'InvalidUsage',
        '--out needs --wait or --local: a run that goes on has no results yet',
      );
    const config = await loadConfig(file);
    // The worker compiles the plan again with its own code; compiling it here first reports mistakes at once.
    const { compile } = await import('../../pipelines/plan/compile.ts');
    const { nightly } = await import('../../pipelines/plan/nightly.ts');
    compile(nightly, config);
    if (local) {
      const { runHere } = await import('../local/run-here.ts');
      return runHere(config, { workers, out }, io);
    }
    return withClient(async (client) => {
      const { followRun, startRun } = await import('./temporal-run.ts');
      const run = await startRun(client, config);
      if (!wait) {
        io.out(run);
        io.err(`started; follow it with \`understudy watch ${run}\``);
        return { run };
      }
      io.err(`started ${run}`);
      return followRun(client, run, io, out).finally(() => {
        if (io.signal.aborted) io.err(`${run} goes on; follow it with \`understudy watch ${run}\``);
      });
    });
  },
});
