import { compile } from '../pipelines/plan/compile.ts';
import { nightly } from '../pipelines/plan/nightly.ts';
import type { Plan } from '../schemas/plan.ts';
import { runConfig } from '../schemas/run-config.ts';

/** Tonight's plan: what the config asks for, by the DAG as it is now. Throws InvalidConfig naming the key. */
export const compilePlan = async (config: unknown): Promise<Plan> =>
  compile(nightly, runConfig.parse(config));
