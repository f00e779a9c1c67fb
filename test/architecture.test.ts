import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import test from 'ava';
import { workflowsPath } from '../infra/create-worker.ts';

const repository = fileURLToPath(new URL('../', import.meta.url));

type WebpackHook = NonNullable<Parameters<typeof bundleWorkflowCode>[0]['webpackConfigHook']>;

/** Every file that ends up in the bundle that Temporal replays. */
const bundledFiles = async (): Promise<string[]> => {
  const files = new Set<string>();
  const webpackConfigHook: WebpackHook = (config) => ({
    ...config,
    plugins: [
      ...(config.plugins ?? []),
      (compiler) => {
        compiler.hooks.done.tap('list', ({ compilation }) => {
          for (const module of compilation.modules) {
            const file = module.nameForCondition();
            if (file) files.add(relative(repository, file).replace(/^.*node_modules\//, 'node_modules/'));
          }
        });
      },
    ],
  });
  await bundleWorkflowCode({ workflowsPath, webpackConfigHook, logger: new DefaultLogger('ERROR') });
  return [...files].sort();
};

test('what Temporal replays is workflows, schemas, and the SDK', async (t) => {
  const files = await bundledFiles();
  t.true(files.includes('workflows/run-plan.ts'));
  const allowed = /^(workflows\/|schemas\/|node_modules\/(@temporalio\/|zod\/|long\/|ms\/|nexus-rpc\/))/;
  t.deepEqual(
    files.filter((file) => !allowed.test(file)),
    [],
  );
});

const sources = async (folder: string): Promise<[file: string, text: string][]> => {
  const entries = await readdir(join(repository, folder), { recursive: true });
  const files = entries.filter((name) => name.endsWith('.ts')).map((name) => join(folder, name));
  return Promise.all(
    files.map(
      async (file): Promise<[string, string]> => [file, await readFile(join(repository, file), 'utf8')],
    ),
  );
};

/** Files outside `except` in `folders` whose text matches: what a linter of imports cannot see. */
const offenders = async (folders: string[], pattern: RegExp, except: string[] = []): Promise<string[]> =>
  (await Promise.all(folders.map(sources)))
    .flat()
    .filter(([file, text]) => pattern.test(text) && !except.includes(file))
    .map(([file]) => file);

const rule = test.macro(async (t, folders: string[], pattern: RegExp, except: string[] = []) => {
  t.deepEqual(await offenders(folders, pattern, except), []);
});
const science = ['schemas', 'pipelines'];
const replayed = ['schemas', 'workflows'];

test('science and workflows draw no chance of their own', rule, [...science, 'workflows'], /Math\.random/);
test('replayed code reads no clock', rule, replayed, /Date\.now|new Date\(\)|performance\.now/);
test('results of the science do not hang on a clock', rule, science, /Date\.now|new Date\(\)/);
test('the environment is read in infra only', rule, [...science, 'workflows', 'activities'], /process\.env/);
test(
  'only the backend, and who builds it, names native TensorFlow',
  rule,
  [...science, 'workflows', 'activities', 'infra'],
  /['"]@tensorflow\/tfjs-node/,
  ['infra/backend.ts', 'infra/bootstrap/addon-path.ts'],
);
test('who writes a stage never sees Temporal', rule, [...science, 'activities'], /['"]@temporalio\//, [
  'activities/temporal-host.ts',
  'activities/to-failure.ts',
]);
test(
  'science reaches nothing above it, not even late',
  rule,
  science,
  /import\(\s*['"`][^'"`]*\/(activities|infra|workflows)\//,
);
