import { bootstrapCommand } from './bootstrap.ts';
import type { Command } from './command.ts';
import { devCommand } from './dev.ts';
import { doctorCommand } from './doctor.ts';
import { evaluateCommand } from './evaluate.ts';
import { exportCommand } from './export.ts';
import { importCommand } from './import.ts';
import { imputeCommand } from './impute.ts';
import { initCommand } from './init.ts';
import { metricsCommand } from './metrics.ts';
import { modelsCommand } from './models.ts';
import { openCommand } from './open.ts';
import { planCommand } from './plan.ts';
import { runCommand } from './run.ts';
import { runsCommand } from './runs.ts';
import { stagesCommand } from './stages.ts';
import { statusCommand } from './status.ts';
import { watchCommand } from './watch.ts';
import { workerCommand } from './worker.ts';

/**
 * Every command, in the order help lists them. What is heavy (Temporal, TensorFlow) they import when they
 * run.
 */
export const commands: readonly Command[] = [
  runCommand,
  statusCommand,
  watchCommand,
  runsCommand,
  openCommand,
  initCommand,
  planCommand,
  exportCommand,
  evaluateCommand,
  imputeCommand,
  importCommand,
  devCommand,
  workerCommand,
  stagesCommand,
  modelsCommand,
  metricsCommand,
  doctorCommand,
  bootstrapCommand,
];
