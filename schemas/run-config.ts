import { z } from 'zod';
import { localPath } from './local-path.ts';
import { assemble } from './stages/assemble.ts';
import { dataSetFields } from './stages/export.ts';
import { extract } from './stages/extract.ts';
import { generateFields, samplingFields, withSampling } from './stages/generate.ts';
import { privacy } from './stages/privacy.ts';
import { report } from './stages/report.ts';
import { similarity } from './stages/similarity.ts';
import { tokenize } from './stages/tokenize.ts';
import { branchName, trainingSize } from './stages/train.ts';
import { utility } from './stages/utility.ts';

const settings = z.record(z.string(), z.json());
type Settings = z.output<typeof settings>;

/** One entry of `generators`; a name alone stands for a generator with its default settings. */
interface GeneratorEntry {
  name: string;
  as?: string | undefined;
  from?: string | undefined;
  config: Settings;
  sampling?: Settings | undefined;
  drawing?: Settings | undefined;
  trainingSizes?: number[] | undefined;
}

const named = z.union([
  z.string().transform((name): GeneratorEntry => ({ name, config: {} })),
  z.strictObject({
    name: z.string().describe('a generator, from `understudy models`'),
    as: branchName
      .optional()
      .describe(
        'name of this branch in node ids, scorecards and report; default: the name of the generator. Needed where a generator stands in a run several times',
      ),
    from: localPath
      .optional()
      .describe(
        'folder of a model whose weights training starts from, made by `understudy import` or by training; `model:DIGEST` is one in the store (the first six digits or more are enough)',
      ),
    config: settings.default({}).describe('how it is built and trained'),
    sampling: samplingFields.sampling.describe('how it samples patients; a change does not train it again'),
    drawing: samplingFields.drawing,
    trainingSizes: z
      .array(trainingSize)
      .min(1)
      .optional()
      .describe(
        'shares or numbers of training patients; each gives a model and a cohort of its own, such as halo@25%',
      ),
  }),
]);
const generator = named.transform(withSampling);

/** One entry of `export`; a name alone is a layout in its default format, of every cohort. */
const dataSet = z.preprocess(
  (given) => (typeof given === 'string' ? { as: given } : given),
  z.strictObject({
    ...dataSetFields.shape,
    generators: z
      .array(z.string())
      .min(1)
      .optional()
      .describe('names of the branches whose cohorts are written, such as halo or halo@25%; default: all'),
  }),
);

/** Params of scoring stages that other keys of the run config decide. */
const decidedElsewhere = { seed: true, suppressBelow: true, branch: true } as const;

/** What a user writes to start a run. Every other number has its default in the schema of a stage. */
export const runConfig = z.strictObject({
  name: z.string().default('nightly').describe('shown in the report and used in the run id'),
  source: extract.params.shape.source,
  layout: extract.params.shape.layout,
  rejectLimit: extract.params.shape.rejectLimit,
  seed: z.int().nonnegative().default(0).describe('the seed of all stages'),
  cohort: z.strictObject(assemble.params.shape).omit({ seed: true }).prefault({}),
  tokens: z.strictObject(tokenize.params.shape).omit({ seed: true }).prefault({}),
  generators: z
    .array(generator)
    .min(1)
    .default([
      { name: 'marginal', config: {}, sampling: {} },
      { name: 'halo', config: {}, sampling: {} },
    ])
    .describe('names, or names with settings; see `understudy models`; default: marginal and halo'),
  checkpointEvery: z.number().min(0).default(60).describe('seconds between checkpoints of a training'),
  generate: z
    .strictObject(generateFields.shape)
    .omit({ seed: true, sampling: true, drawing: true })
    .prefault({}),
  similarity: z.strictObject(similarity.params.shape).omit(decidedElsewhere).prefault({}),
  utility: z.strictObject(utility.params.shape).omit(decidedElsewhere).prefault({}),
  privacy: z.strictObject(privacy.params.shape).omit(decidedElsewhere).prefault({}),
  report: z.strictObject(report.params.shape).prefault({}),
  export: z
    .array(dataSet)
    .optional()
    .describe(
      'data sets to write of the synthetic cohorts: layouts, or layouts with settings; see docs/export.md',
    ),
});
export type RunConfig = z.output<typeof runConfig>;
