import type { Command } from './command.ts';
import { metricsCommand } from './metrics.ts';
import { modelsCommand } from './models.ts';
import { stagesCommand } from './stages.ts';

/** Every command, in the order help lists them. What is heavy (Temporal, TensorFlow) they import when they run. */
export const commands: readonly Command[] = [stagesCommand, modelsCommand, metricsCommand];
