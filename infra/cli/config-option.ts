import { z } from 'zod';
import { defaultConfigFile } from './load-config.ts';

/** `--config`, for every command that reads a run config. */
export const configOption = z
  .string()
  .default(defaultConfigFile)
  .describe('run config, YAML or JSON; `-` reads stdin');
