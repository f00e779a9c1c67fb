import { fileURLToPath } from 'node:url';
import test from 'ava';
import { loadConfig } from '../../infra/cli/load-config.ts';
import { promptConfig } from '../../pipelines/generators/promptehr/training/config.ts';
import { compile } from '../../pipelines/plan/compile.ts';
import { nightly } from '../../pipelines/plan/nightly.ts';
import { assemble } from '../../schemas/stages/assemble.ts';
import { train } from '../../schemas/stages/train.ts';

const example = fileURLToPath(new URL('../../infra/examples/promptehr-paper.yaml', import.meta.url));

test('the example has the paper’s split and settings', async (t) => {
  const { nodes } = compile(nightly, await loadConfig(example));
  const paramsOf = (id: string) => nodes.find((node) => node.id === id)?.params;
  const { split } = assemble.params.parse(paramsOf('assemble'));
  t.deepEqual(
    [split.validation, split.holdout].map((share) => Math.round(share * 46_520)),
    [2301, 4633],
  );
  const { config } = train.params.parse(paramsOf('train:promptehr'));
  t.is(promptConfig.parse(config).preset, 'paper');
});
