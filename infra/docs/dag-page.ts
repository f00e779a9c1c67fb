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
    `\`pipelines/plan/${nightly.name}.ts\` with the default generators. Round nodes run on the \`gpu\` queue, the ` +
      'others on `cpu`; an arrow that a longer way implies is left out. Where there are several generators, the branch of one may fail without failing the run. ' +
      '`understudy plan` shows the DAG of a config of yours.',
    `\`\`\`mermaid\n${mermaid(plan)}\n\`\`\``,
  );
};
