import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import { promptConfig } from '../../../../../pipelines/generators/promptehr/training/config.ts';
import promptehr from '../../../../../pipelines/generators/promptehr.ts';
import { decodeSaved, encodeSaved } from '../../../../../pipelines/kernel/safetensors.ts';
import { type VisitColumns, visitCount } from '../../../../../pipelines/patients/visit-columns.ts';
import { planted } from '../../planted-cohort.ts';

test.before(async () => {
  await startBackend();
});

const data = planted();

/** Trained too fast and too little, so that what it draws has the wrong prevalences. */
const settings = (calibration: number, order: string) =>
  promptConfig.parse({
    ...{ width: 16, encoderLayers: 1, decoderLayers: 1, attentionHeads: 2, feed: 16, promptHidden: 4 },
    ...{ learningRate: 0.1, epochs: 2, batch: 40, warmUpEpochs: 0, calibration, order },
  });

const fitted = async (calibration: number, order = 'canonical') => {
  const fitting = await promptehr.fit(data, settings(calibration, order), 1);
  while (!fitting.finished) await fitting.step();
  return fitting;
};

/** Mean difference of the shares of visits that have a code. */
const distance = (columns: VisitColumns): number => {
  const shares = (of: VisitColumns) =>
    data.vocabulary.codes.map((_, code) => of.codes.filter((c) => c === code).length / visitCount(of));
  const [real, drawn] = [shares(data.train), shares(columns)];
  return real.reduce((sum, share, i) => sum + Math.abs(share - (drawn[i] as number)), 0) / real.length;
};

for (const order of ['canonical', 'shuffled'])
  test.serial(`drawn records have the training prevalences after calibration (${order})`, async (t) => {
    const draw = async (calibration: number) => {
      const fitting = await fitted(calibration, order);
      const sampler = await promptehr.open(
        await fitting.model(),
        settings(calibration, order),
        data.vocabulary,
      );
      fitting.dispose();
      const columns = await sampler.sample({ first: 0, count: 1000, seed: 9 });
      sampler.dispose();
      return distance(columns);
    };
    const [before, after] = [await draw(0), await draw(3)];
    t.true(after < before / 2 && after < 0.03, `${before} before, ${after} after`);
  });

test.serial('the shift is part of the checkpoint, and of nothing but the heads’ biases', async (t) => {
  const plain = await fitted(0);
  const shifted = await fitted(1);
  const [without, having] = [(await plain.model()).arrays, (await shifted.model()).arrays];
  for (const [name, { data: values }] of Object.entries(without))
    if (name === 'lm_head.dx.bias') t.notDeepEqual(having[name]?.data, values);
    else t.deepEqual(having[name]?.data, values);
  const other = await promptehr.fit(data, settings(1, 'canonical'), 1);
  await other.load(decodeSaved(encodeSaved(await shifted.save())));
  t.deepEqual(encodeSaved(await other.model()), encodeSaved(await shifted.model()));
  for (const fitting of [plain, shifted, other]) fitting.dispose();
});
