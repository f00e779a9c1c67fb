import { compile } from '../../pipelines/plan/compile.ts';
import { nightly } from '../../pipelines/plan/nightly.ts';
import { runConfig } from '../../schemas/run-config.ts';
import { mermaid } from '../cli/plan-view.ts';
import { page } from './markdown.ts';

/** docs/dag.md: the plan of a run with the default generators, as a picture. */
export const dagPage = (): string => {
  const plan = compile(nightly, runConfig.parse({ source: 'mimic' }));
  return page(
    'The nightly DAG',
    `The stages of a run with the default generators (\`pipelines/plan/${nightly.name}.ts\`). \`understudy plan\` shows the ` +
      'DAG of your own config. Round nodes run on the `gpu` queue, the others on `cpu`. An arrow is left out where a ' +
      'longer way implies it. With several generators, the branch of one may fail without failing the run.',
    `\`\`\`mermaid\n${mermaid(plan)}\n\`\`\``,
  );
};
