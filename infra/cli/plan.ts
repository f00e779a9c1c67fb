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
    const { compilePlan } = await import('../../activities/compile-plan.ts');
    const plan = await compilePlan(run);
    io.out(planText(plan));
    return plan;
  },
});
