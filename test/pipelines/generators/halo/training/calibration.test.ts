import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import { haloConfig } from '../../../../../pipelines/generators/halo/training/config.ts';
import halo from '../../../../../pipelines/generators/halo.ts';
import { decodeSaved, encodeSaved } from '../../../../../pipelines/kernel/safetensors.ts';
import { type VisitColumns, visitCount } from '../../../../../pipelines/patients/visit-columns.ts';
import { planted } from '../../planted-cohort.ts';

test.before(async () => {
  await startBackend();
});

const data = planted();

/** Trained far too little, so that what it draws has the wrong prevalences. */
const settings = (calibration: number) =>
  haloConfig.parse({
    layers: 1,
    heads: 2,
    embedding: 16,
    learningRate: 0.01,
    epochs: 6,
    batch: 16,
    start: 'random',
    calibration,
  });

const fitted = async (calibration: number) => {
  const fitting = await halo.fit(data, settings(calibration), 1);
  while (!fitting.finished) await fitting.step();
  return fitting;
};

/** Mean difference of the shares of visits that have a code, the share of last visits among them. */
const distance = (columns: VisitColumns): number => {
  const shares = (of: VisitColumns) => [
    ...data.vocabulary.codes.map((_, code) => of.codes.filter((c) => c === code).length / visitCount(of)),
    (of.visitOffsets.length - 1) / visitCount(of),
  ];
  const [real, drawn] = [shares(data.train), shares(columns)];
  return real.reduce((sum, share, i) => sum + Math.abs(share - (drawn[i] as number)), 0) / real.length;
};

test.serial('drawn records have the training prevalences after calibration', async (t) => {
  const draw = async (calibration: number) => {
    const fitting = await fitted(calibration);
    const sampler = await halo.open(await fitting.model(), settings(calibration), data.vocabulary);
    fitting.dispose();
    const columns = await sampler.sample({ first: 0, count: 1000, seed: 9 });
    sampler.dispose();
    return distance(columns);
  };
  const [before, after] = [await draw(0), await draw(3)];
  t.true(after < before / 3 && after < 0.02, `${before} before, ${after} after`);
});

test.serial('the shift is part of the checkpoint, and of nothing but the output bias', async (t) => {
  const plain = await fitted(0);
  const shifted = await fitted(2);
  const [without, having] = [(await plain.model()).arrays, (await shifted.model()).arrays];
  for (const [name, { data: values }] of Object.entries(without))
    if (name === 'ehr_head.auto2.bias') t.notDeepEqual(having[name]?.data, values);
    else t.deepEqual(having[name]?.data, values);
  const other = await halo.fit(data, settings(2), 1);
  await other.load(decodeSaved(encodeSaved(await shifted.save())));
  t.deepEqual(encodeSaved(await other.model()), encodeSaved(await shifted.model()));
  for (const fitting of [plain, shifted, other]) fitting.dispose();
});
