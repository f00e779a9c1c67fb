import { z } from 'zod';
import { localPath } from './local-path.ts';
import { assemble } from './stages/assemble.ts';
import { extract } from './stages/extract.ts';
import { generateFields, samplingFields, withSampling } from './stages/generate.ts';
import { privacy } from './stages/privacy.ts';
import { report } from './stages/report.ts';
import { similarity } from './stages/similarity.ts';
import { tokenize } from './stages/tokenize.ts';
import { trainingSize } from './stages/train.ts';
import { utility } from './stages/utility.ts';

const settings = z.record(z.string(), z.json());
type Settings = z.output<typeof settings>;

/** A generator of the run: its name, and the settings that may stand beside it. */
interface Asked {
  name: string;
  from?: string | undefined;
  config: Settings;
  sampling?: Settings | undefined;
  drawing?: Settings | undefined;
  trainingSizes?: number[] | undefined;
}

const named = z.union([
  z.string().transform((name): Asked => ({ name, config: {} })),
  z.strictObject({
    name: z.string(),
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

/** What a user writes to start a run. Every other number has its default in the schema of a stage. */
export const runConfig = z.strictObject({
  name: z.string().default('nightly').describe('shown in the report and used in the run id'),
  source: extract.params.shape.source,
  layout: extract.params.shape.layout,
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
  similarity: z.strictObject(similarity.params.shape).omit({ seed: true, suppressBelow: true }).prefault({}),
  utility: z.strictObject(utility.params.shape).omit({ seed: true, suppressBelow: true }).prefault({}),
  privacy: z.strictObject(privacy.params.shape).omit({ seed: true, suppressBelow: true }).prefault({}),
  report: z.strictObject(report.params.shape).prefault({}),
});
export type RunConfig = z.output<typeof runConfig>;
