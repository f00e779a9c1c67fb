import { spawn } from 'node:child_process';
import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import { readEnvironment } from '../env.ts';
import { defineCommand } from './command.ts';
import { withClient } from './with-client.ts';

/** The program that shows a page in this system's browser. */
const openers: Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', ''],
  linux: ['xdg-open'],
};

/** Shows a page; false where this machine has no browser to show it in. */
const show = (page: string): Promise<boolean> =>
  new Promise((resolve) => {
    const [program, ...args] = openers[process.platform] ?? ['xdg-open'];
    const child = spawn(program, [...args, page], { stdio: 'ignore', detached: true });
    child.once('error', () => resolve(false));
    child.once('spawn', () => {
      child.unref();
      resolve(true);
    });
  });

const isDigest = (text: string): boolean => /^[0-9a-f]{6,64}$/.test(text);

export const openCommand = defineCommand({
  name: 'open',
  summary: 'show the report of a run in the browser',
  positionals: z.object({
    run: z
      .string()
      .min(1)
      .describe('id of a run, or the digest of a report in the store (the first six digits or more)'),
  }),
  options: z.object({
    print: z.boolean().default(false).describe('print the path and open nothing'),
  }),
  async run({ run, print }, io) {
    const { store } = readEnvironment();
    const { reportPage, resultsOf } = await import('./run-results.ts');
    const fromRun = () =>
      withClient(async (client) => {
        const { readSnapshot } = await import('./run-snapshot.ts');
        const snapshot = await readSnapshot(client, run);
        const results = await resultsOf(snapshot, store);
        if (results?.report) return results.report;
        const why =
          snapshot.state === 'completed'
            ? `its report is not in the store ${store}; UNDERSTUDY_STORE states which store is looked in`
            : `it is ${snapshot.state}, and has no report`;
        throw new StageError('ArtifactMissing', `${run}: ${why}`);
      });
    const report = isDigest(run) ? await reportPage(store, run) : await fromRun();
    io.out(report);
    if (!print && !io.json && !(await show(report)))
      io.err('no browser could be started here; open the file above in one');
    return { report };
  },
});
