import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { commands } from '../../infra/cli/commands.ts';
import { commandHelp, globalHelp } from '../../infra/cli/help.ts';
import { pages } from '../../infra/docs/pages.ts';
import { exportLayouts } from '../../pipelines/exchange/write/registry.ts';
import { generators } from '../../pipelines/generators/registry.ts';
import { metrics } from '../../pipelines/metrics/registry.ts';
import { failures } from '../../schemas/errors.ts';
import { stages } from '../../schemas/stages/index.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const made = pages();

/** README, changelog and every page of docs, by path from the root. */
const readPages = async (): Promise<Map<string, string>> => {
  const inDocs = (await readdir(join(repository, 'docs'), { recursive: true })).filter((name) =>
    name.endsWith('.md'),
  );
  const files = ['README.md', 'CHANGELOG.md', ...inDocs.map((name) => `docs/${name}`)];
  return new Map(
    await Promise.all(
      files.map(
        async (file): Promise<[string, string]> => [file, await readFile(join(repository, file), 'utf8')],
      ),
    ),
  );
};
const written = await readPages();

for (const [file, text] of Object.entries(made))
  test(`docs/${file} agrees with the code (else: npm run docs)`, async (t) => {
    t.is(await readFile(join(repository, 'docs', file), 'utf8'), text);
    t.regex(text, /^<!-- Generated /);
    t.false(/\bundefined\b|\[object /.test(text));
  });

test('every stage, generator, metric, failure, command and layout is described', (t) => {
  const described: Record<string, Iterable<string>> = {
    'stages.md': Object.keys(stages),
    'models.md': generators.keys(),
    'metrics.md': metrics.keys(),
    'errors.md': Object.keys(failures),
    'cli.md': commands.map(({ name }) => name),
    'export.md': exportLayouts.keys(),
  };
  for (const [file, names] of Object.entries(described))
    for (const name of names) t.true(made[file]?.includes(name), `${file} does not describe ${name}`);
});

/** A page without its blocks of code; `inline` also takes out code inside sentences. */
const prose = (text: string, inline: boolean): string => {
  const sentences = text.replace(/^```[\s\S]*?^```/gm, '');
  return inline ? sentences.replace(/`[^`]*`/g, '') : sentences;
};

/** The anchor that GitHub gives a heading. */
const anchorOf = (heading: string): string =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
const anchorsIn = (text: string): string[] =>
  [...prose(text, false).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));

const isThere = (path: string): Promise<boolean> =>
  stat(join(repository, path)).then(
    () => true,
    () => false,
  );

test('links and anchors of README, changelog and docs resolve', async (t) => {
  let links = 0;
  const broken: string[] = [];
  for (const [file, text] of written)
    for (const [, target = ''] of prose(text, true).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      links++;
      const [path = '', anchor] = target.split('#');
      const page = path === '' ? file : normalize(join(dirname(file), path));
      const found =
        anchor === undefined ? await isThere(page) : anchorsIn(written.get(page) ?? '').includes(anchor);
      if (!found) broken.push(`${file}: ${target}`);
    }
  t.deepEqual(broken, []);
  t.true(links > 50);
});

test('files of ours that README and docs name are there', async (t) => {
  let named = 0;
  const missing: string[] = [];
  const ours = /`((?:activities|bench|infra|pipelines|schemas|test|workflows)\/[\w./-]+)`/g;
  for (const [file, text] of written) {
    if (file === 'CHANGELOG.md') continue;
    for (const [, path = ''] of prose(text, false).matchAll(ours)) {
      named++;
      if (!(await isThere(path))) missing.push(`${file}: ${path}`);
    }
  }
  t.deepEqual(missing, []);
  t.true(named > 20);
});

/** Words of a dialect that readers from elsewhere stumble over; docs/ and help use plain ones. */
const dialect =
  /\b(told|tells?|whoever|nobody|everybody|everyone|hush(?:ed)?|heed(?:s|ed)?|fore(?:see|sees|seen|seeing|told)|mend(?:s|ed)?|accused|chances)\b/gi;

test('README, changelog, docs and help are in plain words', (t) => {
  const help = commands.map((command): [string, string] => [
    `understudy ${command.name} --help`,
    commandHelp(command),
  ]);
  const found: string[] = [];
  for (const [file, text] of [...written, ['understudy --help', globalHelp(commands)] as const, ...help])
    for (const [word] of prose(text, true).matchAll(dialect)) found.push(`${file}: ${word}`);
  t.deepEqual(found, []);
});
