import { z } from 'zod';
import { defineCommand } from './command.ts';
import { configOption } from './config-option.ts';
import { loadConfig } from './load-config.ts';
import { planText } from './plan-view.ts';

export const planCommand = defineCommand({
  name: 'plan',
  summary: 'check a run config and show its DAG, without running it',
  positionals: z.object({}),
  options: z.object({ config: configOption }),
  async run({ config }, io) {
    const run = await loadConfig(config);
    const { compile } = await import('../../pipelines/plan/compile.ts');
    const { nightly } = await import('../../pipelines/plan/nightly.ts');
    const plan = compile(nightly, run);
    io.out(planText(plan));
    return plan;
  },
});
