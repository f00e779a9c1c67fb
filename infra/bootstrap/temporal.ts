import { copyFile, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StageError } from '../../schemas/errors.ts';
import { download, printable } from './download.ts';
import type { FetchContext } from './fetch-wheels.ts';
import { findProgram } from './find-program.ts';
import { withLock } from './lock.ts';
import { publish } from './publish.ts';
import { step } from './report.ts';
import { runProgram } from './run-program.ts';
import { cachedTemporal, findTemporal, inspectTemporal, type TemporalCli } from './temporal-binary.ts';
import { type PinnedFile, platform, versions } from './versions.ts';

const { cli } = versions.temporal;
const goModule = `github.com/temporalio/cli/cmd/temporal@v${cli}`;

const fromRelease = async (archive: PinnedFile, draft: string, context: FetchContext): Promise<void> => {
  const { environment, say, signal } = context;
  const path = join(draft, archive.file);
  const address = `${environment.temporalDownload}/v${cli}/${archive.file}`;
  await download(address, path, archive.sha256, { say, ...(signal ? { signal } : {}) });
  const { code, output } = await runProgram('tar', ['-xzf', path, '-C', draft, 'temporal']);
  if (code !== 0) throw new Error(`tar could not unpack ${archive.file}: ${output.trim()}`);
  await rm(path);
};

const fromGo = async (go: string, draft: string, { signal }: FetchContext): Promise<void> => {
  const bin = join(draft, 'bin');
  await mkdir(bin);
  // A checkout's GOFLAGS or go.work must not decide how this is built.
  const env = { GOBIN: bin, GOWORK: 'off' };
  const flags = `-s -w -X github.com/temporalio/cli/temporalcli.Version=${cli}`;
  const args = ['install', '-ldflags', flags, goModule];
  const { code, output } = await runProgram(go, args, { cwd: draft, env, ...(signal ? { signal } : {}) });
  if (code !== 0) throw new Error(`go install failed: ${output.trim().split('\n').slice(-3).join(' ')}`);
  await copyFile(join(bin, 'temporal'), join(draft, 'temporal'));
  await rm(bin, { recursive: true });
};

/** The ways to get the Temporal CLI, in the order they are tried; a way that is not possible has the reason. */
const ways = async ({ environment }: FetchContext, archive: PinnedFile | undefined): Promise<Way[]> => {
  const go = await findProgram('go', environment.path);
  const off = environment.temporalDownload === 'off';
  return [
    {
      title: `Temporal CLI ${cli}: downloading the release`,
      ...(off ? { cannot: 'downloads are off (UNDERSTUDY_TEMPORAL_DOWNLOAD=off)' } : {}),
      ...(archive ? {} : { cannot: `there is no release for ${platform}` }),
      fill: async (draft, context) => archive && fromRelease(archive, draft, context),
    },
    {
      title: `Temporal CLI ${cli}: building it with go install (2 to 4 minutes the first time)`,
      ...(go ? {} : { cannot: 'Go is not on PATH' }),
      fill: async (draft, context) => go && fromGo(go, draft, context),
    },
  ];
};

interface Way {
  title: string;
  cannot?: string;
  fill(draft: string, context: FetchContext): Promise<unknown>;
}

const advice = (context: FetchContext, reasons: string[]): string => {
  const { temporalDownload, cache } = context.environment;
  const site = temporalDownload === 'off' ? 'https://github.com/temporalio/cli/releases' : temporalDownload;
  return [
    `no Temporal CLI could be had: ${reasons.join('; ')}. Any one of these helps:`,
    `- put a \`temporal\` (server >= ${versions.temporal.minimumServer}) on PATH, from ${printable(site)}`,
    `- copy one to ${cachedTemporal(cache)}`,
    '- set UNDERSTUDY_TEMPORAL_DOWNLOAD to a mirror of its releases that this network reaches',
    '- install Go 1.25 or newer with a module proxy (GOPROXY), and run `npx understudy bootstrap` again',
  ].join('\n');
};

/**
 * The Temporal CLI, installed into the cache where PATH and cache have none: the checksummed release, else Go.
 * Throws TemporalUnavailable saying what to install.
 */
export const ensureTemporal = async (
  context: FetchContext,
  archive: PinnedFile | undefined = versions.temporal.archives[platform],
): Promise<TemporalCli> => {
  const { environment, say, signal } = context;
  const found = await findTemporal(environment);
  if (found) return found;
  return withLock(environment.cache, say, async () => {
    const target = cachedTemporal(environment.cache);
    const reasons: string[] = [];
    for (const way of await ways(context, archive)) {
      signal?.throwIfAborted();
      if (way.cannot) {
        reasons.push(way.cannot);
        continue;
      }
      try {
        await step(way.title, say, () =>
          publish(dirname(target), async (draft) => {
            await way.fill(draft, context);
          }),
        );
        const installed = await inspectTemporal(target);
        if (installed) return installed;
        reasons.push(`${target} does not run or is too old: delete it`);
      } catch (error) {
        signal?.throwIfAborted();
        const why = error instanceof Error ? error.message : String(error);
        say(`  ${why}`);
        reasons.push(why);
      }
    }
    throw new StageError('TemporalUnavailable', advice(context, reasons));
  });
};
