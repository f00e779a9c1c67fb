import type { Environment } from '../env.ts';
import type { Check } from './check.ts';
import { checkCompiler, checkDisk, checkGlibc, checkMemory, checkNode, checkPackages } from './machine.ts';
import { checkServer, checkTemporal, checkTensorflow } from './services.ts';

const checkers = [
  checkNode,
  checkGlibc,
  checkPackages,
  checkTensorflow,
  checkCompiler,
  checkTemporal,
  checkServer,
  checkDisk,
  checkMemory,
];

/** Looks at all that a run needs, one after another so that the timed product has the machine. Changes nothing. */
export const examine = async (environment: Environment): Promise<Check[]> => {
  const checks: Check[] = [];
  for (const check of checkers) checks.push(...(await check(environment)));
  return checks;
};
