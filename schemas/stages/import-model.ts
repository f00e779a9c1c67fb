import { z } from 'zod';
import { localPath } from '../local-path.ts';
import { defineStage } from '../stage.ts';

export const importModel = defineStage({
  name: 'import-model',
  title: 'A model from outside the run, as a start for training',
  version: 1,
  inputs: {},
  output: 'model',
  params: z.object({
    model: localPath.describe('folder of the model, as `understudy import` or a training made it'),
    generator: z.string().describe('the generator whose model it must be'),
  }),
  // The fingerprint is over the contents of the files: the same model elsewhere is the same model.
  incidental: ['model'],
  policy: { queue: 'cpu', startToClose: '1h', heartbeat: '2m', attempts: 4 },
});
