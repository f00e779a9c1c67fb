import { assemble } from './assemble.ts';
import { exportDataSet } from './export.ts';
import { extract } from './extract.ts';
import { generate } from './generate.ts';
import { importModel } from './import-model.ts';
import { privacy } from './privacy.ts';
import { report } from './report.ts';
import { similarity } from './similarity.ts';
import { tokenize } from './tokenize.ts';
import { train } from './train.ts';
import { utility } from './utility.ts';

/** Every stage, in the order data takes through them. */
export const stages = {
  extract,
  assemble,
  tokenize,
  'import-model': importModel,
  train,
  generate,
  similarity,
  utility,
  privacy,
  report,
  export: exportDataSet,
};
export type Stages = typeof stages;
export type StageName = keyof Stages;
