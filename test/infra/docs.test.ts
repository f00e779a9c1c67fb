import { readFile } from 'node:fs/promises';
import test from 'ava';
import { commands } from '../../infra/cli/commands.ts';
import { pages } from '../../infra/docs/pages.ts';
import { generators } from '../../pipelines/generators/registry.ts';
import { metrics } from '../../pipelines/metrics/registry.ts';
import { failures } from '../../schemas/errors.ts';
import { stages } from '../../schemas/stages/index.ts';

const made = pages();

for (const [file, text] of Object.entries(made))
  test(`docs/${file} is what the code says (else: npm run docs)`, async (t) => {
    t.is(await readFile(new URL(`../../docs/${file}`, import.meta.url), 'utf8'), text);
    t.regex(text, /^<!-- Generated /);
    t.false(/\bundefined\b|\[object /.test(text));
  });

test('every stage, generator, metric, failure and command is told', (t) => {
  const told: Record<string, Iterable<string>> = {
    'stages.md': Object.keys(stages),
    'models.md': generators.keys(),
    'metrics.md': metrics.keys(),
    'errors.md': Object.keys(failures),
    'cli.md': commands.map(({ name }) => name),
  };
  for (const [file, names] of Object.entries(told))
    for (const name of names) t.true(made[file]?.includes(name), `${file} says nothing of ${name}`);
});
