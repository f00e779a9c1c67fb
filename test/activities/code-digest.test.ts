import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { digestSources } from '../../activities/code-digest.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const base = {
  'entry.ts': `import { a } from './a.ts';
import type { T } from './types.ts';
import {
  b,
  type B,
} from './deep/b.ts';
export { c } from './c.ts';
export type { U } from './types.ts';
const data = new URL('./table.yaml', import.meta.url);
const folder = new URL('./deep/', import.meta.url);
export const from = 'text from';
const late = () => import('./late.ts');
`,
  'a.ts': "import './entry.ts';\nexport const a = 1;\n",
  'deep/b.ts': "import { z } from 'zod';\nimport '../side.ts';\n",
  'c.ts': '',
  'types.ts': '',
  'table.yaml': 'x: 1',
  'late.ts': '',
  'side.ts': '',
  'unrelated.ts': '',
  'package.json': '{"dependencies":{"zod":"1.0.0","ava":"1.0.0"}}',
};

/** Every digest is taken in a folder of its own: it must not depend on where that is. */
const digestWith = async (t: ExecutionContext, changes: Partial<typeof base> = {}): Promise<string> => {
  const folder = await tempFolder(t);
  await mkdir(join(folder, 'deep'));
  for (const [file, text] of Object.entries({ ...base, ...changes }))
    await writeFile(join(folder, file), text);
  const root = `${pathToFileURL(folder).href}/`;
  return digestSources([new URL('entry.ts', root).href], root);
};

test('equal sources have one digest wherever they are', async (t) => {
  t.is(await digestWith(t), await digestWith(t));
});

for (const file of ['entry.ts', 'a.ts', 'deep/b.ts', 'c.ts', 'side.ts', 'late.ts', 'table.yaml'] as const)
  test(`a change in ${file} changes it`, async (t) => {
    t.not(await digestWith(t, { [file]: `${base[file]}\nconst more = 1;` }), await digestWith(t));
  });

for (const file of ['types.ts', 'unrelated.ts'] as const)
  test(`a change in ${file} does not`, async (t) => {
    t.is(await digestWith(t, { [file]: 'const more = 1;' }), await digestWith(t));
  });

test('the pinned version of a package that is used counts, others do not', async (t) => {
  const pins = (zod: string, ava: string) =>
    digestWith(t, { 'package.json': JSON.stringify({ dependencies: { zod, ava } }) });
  t.is(await pins('1.0.0', '2.0.0'), await digestWith(t));
  t.not(await pins('2.0.0', '1.0.0'), await digestWith(t));
});
