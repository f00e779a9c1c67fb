import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { loadConfig } from '../../infra/cli/load-config.ts';
import { promptConfig } from '../../pipelines/generators/promptehr/training/config.ts';
import { compile } from '../../pipelines/plan/compile.ts';
import { nightly } from '../../pipelines/plan/nightly.ts';
import { tokenize } from '../../schemas/stages/tokenize.ts';
import { train } from '../../schemas/stages/train.ts';

const folder = fileURLToPath(new URL('../../infra/examples/', import.meta.url));
const examples = readdirSync(folder);
const planOf = async (name: string) => compile(nightly, await loadConfig(`${folder}${name}.yaml`));
const paramsOf = async (name: string, node: string) =>
  (await planOf(name)).nodes.find(({ id }) => id === node)?.params;

for (const file of examples)
  test(`${file} is a run config that makes a plan, under its own name`, async (t) => {
    t.regex(file, /\.yaml$/);
    const config = await loadConfig(`${folder}${file}`);
    t.is(config.name, file.replace('.yaml', ''));
    const { nodes } = compile(nightly, config);
    t.true(nodes.some(({ stage }) => stage === 'report') && nodes.some(({ stage }) => stage === 'generate'));
  });

test('orders of codes: three runs that differ in the order alone', async (t) => {
  const tokens = await Promise.all(
    ['frequency', 'alphabetical', 'random'].map(async (order) => {
      const found = tokenize.params.parse(await paramsOf(`code-order-${order}`, 'tokenize'));
      t.is(found.order, order as typeof found.order);
      return { ...found, order: '' };
    }),
  );
  t.deepEqual(tokens[1], tokens[0]);
  t.deepEqual(tokens[2], tokens[0]);
});

test('prompts: two branches that differ in the prompts alone, and one has none', async (t) => {
  const configOf = async (branch: string) =>
    promptConfig.parse(train.params.parse(await paramsOf('promptehr-prompts', `train:${branch}`)).config);
  const [on, off] = [await configOf('with-prompts'), await configOf('without-prompts')];
  t.deepEqual(on.prompts, { numeric: 'all', categorical: 'all', labels: 'all' });
  t.deepEqual(off, { ...on, prompts: { numeric: [], categorical: [], labels: [] } });
});
