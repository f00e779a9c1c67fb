import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { StageError } from '../schemas/errors.ts';
import { localPath } from '../schemas/local-path.ts';

const home = () => join(homedir(), '.cache', 'understudy');
const absolute = (path: string) => resolve(path);
const host = z.string().regex(/^[^\s:/]+:\d{1,5}$/, 'must be host:port, such as localhost:7233');
const baseUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http(s) address' })
  .transform((url) => url.replace(/\/+$/, ''));

/** Every environment variable that Understudy reads, with its default. docs/operations.md explains them. */
export const variables = z.object({
  UNDERSTUDY_CACHE: localPath
    .transform(absolute)
    .optional()
    .describe('folder of installed binaries; default: ~/.cache/understudy'),
  UNDERSTUDY_STORE: localPath
    .default('.understudy/store')
    .transform(absolute)
    .describe('folder of artifacts, cache entries and checkpoints; an address such as s3:// is refused'),
  UNDERSTUDY_TF: z
    .enum(['auto', 'cpu', 'gpu', 'js'])
    .default('auto')
    .describe('tensor backend, see operations.md'),
  UNDERSTUDY_TEMPORAL_ADDRESS: host.default('localhost:7233').describe('address of the Temporal server'),
  UNDERSTUDY_TEMPORAL_NAMESPACE: z.string().default('default').describe('Temporal namespace'),
  UNDERSTUDY_TEMPORAL_DOWNLOAD: z
    .union([z.literal('off'), baseUrl])
    .default('https://github.com/temporalio/cli/releases/download')
    .describe('base address of Temporal CLI releases, or `off`; default: its releases on GitHub'),
  UNDERSTUDY_LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('lowest level of log lines that are written'),
  UNDERSTUDY_FAULT: z.string().optional().describe('fault to inject; for tests only'),
  PIP_INDEX_URL: baseUrl
    .optional()
    .describe('package index of TensorFlow’s wheels; default: pip’s configuration'),
  PATH: z.string().default('').describe('folders in which temporal, g++, go and python3 are searched'),
});

/** The environment, parsed. Paths are absolute. */
export interface Environment {
  cache: string;
  store: string;
  tensorflow: 'auto' | 'cpu' | 'gpu' | 'js';
  temporalAddress: string;
  temporalNamespace: string;
  /** Base URL of Temporal CLI releases, or `off`. */
  temporalDownload: string;
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  fault: string | undefined;
  pipIndexUrl: string | undefined;
  path: string;
}

/** Reads the environment afresh. Empty counts as unset; throws InvalidConfig naming each bad variable. */
export const readEnvironment = (
  source: Readonly<Record<string, string | undefined>> = process.env,
): Environment => {
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value));
  const parsed = variables.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      ({ path, message }) => `environment variable ${path.join('.')}: ${message}`,
    );
    throw new StageError('InvalidConfig', problems.join('\n'));
  }
  const { data } = parsed;
  return {
    cache: data.UNDERSTUDY_CACHE ?? home(),
    store: data.UNDERSTUDY_STORE,
    tensorflow: data.UNDERSTUDY_TF,
    temporalAddress: data.UNDERSTUDY_TEMPORAL_ADDRESS,
    temporalNamespace: data.UNDERSTUDY_TEMPORAL_NAMESPACE,
    temporalDownload: data.UNDERSTUDY_TEMPORAL_DOWNLOAD,
    logLevel: data.UNDERSTUDY_LOG_LEVEL,
    fault: data.UNDERSTUDY_FAULT,
    pipIndexUrl: data.PIP_INDEX_URL,
    path: data.PATH,
  };
};

/** Sets a variable for this process and its children unless the person already did. */
export const defaultVariable = (name: string, value: string): void => {
  process.env[name] ??= value;
};
