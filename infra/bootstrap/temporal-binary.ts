import { join } from 'node:path';
import { StageError } from '../../schemas/errors.ts';
import { type Environment, readEnvironment } from '../env.ts';
import { askProgram, findProgram } from './find-program.ts';
import { atLeast, versions } from './versions.ts';

/** A usable Temporal CLI: its path and the version of its server. */
export interface TemporalCli {
  path: string;
  server: string;
}

/** Where bootstrap puts the Temporal CLI. */
export const cachedTemporal = (cache: string): string =>
  join(cache, 'temporal', versions.temporal.cli, 'temporal');

/** The server version that a binary reports; undefined when it is no Temporal CLI or its server is too old. */
export const inspectTemporal = async (path: string): Promise<TemporalCli | undefined> => {
  // A binary built by `go install` calls itself 0.0.0-DEV, so the server's version is what counts.
  const reported = await askProgram(path, ['--version']);
  const server = /^temporal version .*\(Server (\d+\.\d+\.\d+)/.exec(reported ?? '')?.[1];
  if (!server || !atLeast(server, versions.temporal.minimumServer)) return undefined;
  const help = await askProgram(path, ['server', 'start-dev', '--help']);
  return help?.includes('--db-filename') ? { path, server } : undefined;
};

/** The Temporal CLI on PATH, else in the cache, else undefined. Installs nothing. */
export const findTemporal = async ({ path, cache }: Environment): Promise<TemporalCli | undefined> => {
  const onPath = await findProgram('temporal', path);
  return (onPath && (await inspectTemporal(onPath))) || (await inspectTemporal(cachedTemporal(cache)));
};

/** Path of a usable Temporal CLI; throws TemporalUnavailable saying how to get one. Installs nothing. */
export const temporalBinary = async (environment = readEnvironment()): Promise<string> => {
  const found = await findTemporal(environment);
  if (found) return found.path;
  throw new StageError(
    'TemporalUnavailable',
    `no Temporal CLI with server >= ${versions.temporal.minimumServer} on PATH or at ` +
      `${cachedTemporal(environment.cache)}: run \`npx understudy bootstrap\``,
  );
};
