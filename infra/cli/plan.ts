import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import { readEnvironment } from '../env.ts';
import { defineCommand } from './command.ts';
import { configOption } from './config-option.ts';
import { failureReport } from './failure-report.ts';
import { defaultConfigFile, loadConfig } from './load-config.ts';
import { planText } from './plan-view.ts';

export const planCommand = defineCommand({
  name: 'plan',
  summary: 'check a run config, look at its source and this machine, and show the DAG, without running it',
  positionals: z.object({}),
  options: z.object({ config: configOption }),
  async run({ config }, io) {
    const run = await loadConfig(config);
    const { compile } = await import('../../pipelines/plan/compile.ts');
    const { nightly } = await import('../../pipelines/plan/nightly.ts');
    const plan = compile(nightly, run);
    io.out(planText(plan));
    const { surveySource, surveyText } = await import('./source-survey.ts');
    try {
      const survey = await surveySource(run, plan, readEnvironment().store);
      const given = config === defaultConfigFile ? '' : ` --config ${config}`;
      const next = ['--local', '--wait'].map((how) => `npx understudy run ${how}${given}`);
      io.out(
        `\n${surveyText(survey, plan)}\n\nnext  ${next[0]}\nnext  ${next[1]}  with a server: npx understudy dev`,
      );
      return { ...plan, ...survey, next };
    } catch (error) {
      if (!(error instanceof StageError)) throw error;
      // Workers may see a source that this machine does not: the plan stands.
      const { code, message } = failureReport(error);
      io.err(`the source is not readable on this machine; it has to be on the workers. ${code}: ${message}`);
      return { ...plan, source: run.source, problem: { code, message } };
    }
  },
});
