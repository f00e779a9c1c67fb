import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const repository = fileURLToPath(new URL('../', import.meta.url));

/**
 * The one list of rooms: each folder's rooms from the ground up. A file imports only from its own room, from rooms
 * before it in the list, and from files that lie directly in the folder of the list; those files may import any room of the
 * folder. Exactly these folders exist, so a new folder is a decision that is written down here.
 */
const rooms: Record<string, readonly string[]> = {
  '.': ['schemas', 'pipelines', 'workflows', 'activities', 'infra'],
  pipelines: [
    'kernel',
    'patients',
    'nn',
    'sources',
    'cohort',
    'tokens',
    'plausibility',
    'generation',
    'generators',
    'metrics',
    'verdicts',
    'report',
    'exchange',
    'plan',
  ],
  'pipelines/nn': ['ops', 'layers', 'networks', 'training'],
  'pipelines/generators': ['halo', 'lstm', 'marginal', 'promptehr'],
  'pipelines/generators/halo': ['network', 'sampling', 'training'],
  'pipelines/generators/promptehr': ['network', 'records', 'sampling', 'adoption', 'training'],
  'pipelines/metrics': ['statistics', 'learners', 'rows', 'similarity', 'utility', 'privacy'],
  'pipelines/metrics/utility': ['engine'],
  'pipelines/metrics/privacy': ['engine'],
  'pipelines/report': ['charts', 'sections', 'style'],
  'pipelines/exchange': ['read', 'models', 'evaluate', 'impute', 'write'],
  'pipelines/exchange/write': ['layouts'],
};

/** Folders whose files may lie loose, beside rooms. In `pipelines` none may. */
const mayBeLoose = (folder: string): boolean => folder !== 'pipelines' && folder !== '.';

/** Files that nothing imports, because something else finds them: programs, doors, and what Temporal loads by path. */
const entrances = [
  /^pipelines\/generators\/[^/]+\.ts$/,
  /^pipelines\/metrics\/(similarity|utility|privacy)\/[^/]+\.ts$/,
  /^pipelines\/exchange\/write\/layouts\/[^/]+\.ts$/,
  /^workflows\/index\.ts$/,
  /^infra\/(cli|demo|docs|worker)\.ts$/,
  /^infra\/(setup|understudy)\.mjs$/,
  /^infra\/bootstrap\/(main|probe-main)\.ts$/,
];

const importSpecifier = /(?:\bfrom\s+|\bimport\(\s*|^import\s+)['"`](\.[^'"`]+)['"`]/gm;
/** A file that is started or read by its address; that is no import. */
const fileAddress = /\bnew URL\(\s*['"`](\.[^'"`]+)['"`]/gm;

const namedIn = async (file: string, pattern: RegExp): Promise<string[]> => {
  const text = await readFile(join(repository, file), 'utf8');
  return [...text.matchAll(pattern)].map(([, specifier]) => normalize(join(dirname(file), specifier ?? '')));
};

const sourceFiles = async (): Promise<string[]> => {
  const found: string[] = [];
  for (const folder of rooms['.'] ?? [])
    for (const name of await readdir(join(repository, folder), { recursive: true }))
      if (/\.(ts|mjs)$/.test(name)) found.push(join(folder, name));
  return found.sort();
};

const files = await sourceFiles();
/** By file, the files of ours that it names in this way. */
const edges = async (pattern: RegExp): Promise<Map<string, string[]>> =>
  new Map(
    await Promise.all(
      files.map(
        async (file): Promise<[string, string[]]> => [
          file,
          (await namedIn(file, pattern)).filter((target) => files.includes(target)),
        ],
      ),
    ),
  );
const imports = await edges(importSpecifier);
const addresses = await edges(fileAddress);

/** Where two files part ways: the folder that holds both, and the room of each in it (none for a loose file). */
const parting = (one: string, other: string) => {
  const a = one.split('/');
  const b = other.split('/');
  let depth = 0;
  while (depth < a.length - 1 && depth < b.length - 1 && a[depth] === b[depth]) depth++;
  const room = (parts: string[]) => (depth < parts.length - 1 ? parts[depth] : undefined);
  return { folder: a.slice(0, depth).join('/') || '.', from: room(a), to: room(b) };
};

test('imports follow the order of the rooms', (t) => {
  const wrong: string[] = [];
  for (const [file, targets] of imports)
    for (const target of targets) {
      const { folder, from, to } = parting(file, target);
      const order = rooms[folder];
      if (!order || from === undefined || to === undefined) continue;
      if (order.indexOf(to) > order.indexOf(from)) wrong.push(`${file} imports ${target}`);
    }
  t.deepEqual(wrong, []);
});

test('workflows and activities do not import each other', (t) => {
  const wrong = [...imports].filter(
    ([file, targets]) => file.startsWith('activities/') && targets.some((to) => to.startsWith('workflows/')),
  );
  t.deepEqual(wrong, []);
});

test('every folder of pipelines is a room on the list, and no file lies loose in its root', async (t) => {
  const found = new Map<string, Set<string>>();
  const loose: string[] = [];
  for (const file of files.filter((name) => name.startsWith('pipelines/'))) {
    const parts = file.split('/');
    for (let depth = 1; depth < parts.length - 1; depth++) {
      const folder = parts.slice(0, depth).join('/');
      found.set(folder, (found.get(folder) ?? new Set()).add(parts[depth] as string));
    }
    if (!mayBeLoose(dirname(file))) loose.push(file);
  }
  t.deepEqual(loose, []);
  for (const [folder, inside] of found)
    t.deepEqual(
      [...inside].filter((room) => !rooms[folder]?.includes(room)),
      [],
      `rooms of ${folder}`,
    );
  for (const folder of Object.keys(rooms))
    for (const room of rooms[folder] ?? [])
      t.true((await readdir(join(repository, folder))).includes(room), room);
});

test('no file reaches itself through its imports', (t) => {
  const state = new Map<string, 'open' | 'done'>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      return;
    }
    state.set(file, 'open');
    for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of files) visit(file, []);
  t.deepEqual(circles, []);
});

test('every file is imported by another, or is an entrance', (t) => {
  const reached = new Set(
    [...imports, ...addresses].flatMap(([file, targets]) => targets.filter((to) => to !== file)),
  );
  const alone = files.filter(
    (file) => !reached.has(file) && !entrances.some((entrance) => entrance.test(file)),
  );
  t.deepEqual(alone, []);
});

test('the tests of a room lie where the room lies', async (t) => {
  const folders = files.map((file) => `${dirname(file)}/`);
  const strays: string[] = [];
  for (const name of await readdir(join(repository, 'test', 'pipelines'), { recursive: true })) {
    const folder = join('pipelines', dirname(name));
    if (name.endsWith('.ts') && !folders.some((room) => room.startsWith(`${folder}/`)))
      strays.push(join('test/pipelines', name));
  }
  t.deepEqual(strays, []);
});

/** Rooms whose comments are not wrapped yet. A room that is done leaves the list. */
const notYetWrapped = [
  'activities/',
  'infra/',
  'workflows/',
  'pipelines/generation/',
  'pipelines/verdicts/',
  'pipelines/report/',
  'pipelines/exchange/',
  'pipelines/plan/',
  'schemas/stages/',
];

test('no comment line is longer than 110 columns, as no line of code is', async (t) => {
  const long: string[] = [];
  for (const file of files.filter((name) => !notYetWrapped.some((room) => name.startsWith(room)))) {
    const lines = (await readFile(join(repository, file), 'utf8')).split('\n');
    for (const [at, line] of lines.entries())
      if (line.length > 110 && /^\s*(\/\/|\/\*|\*)/.test(line)) long.push(`${file}:${at + 1}`);
  }
  t.deepEqual(long, []);
});
