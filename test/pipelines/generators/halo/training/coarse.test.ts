import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import type { TrainingData } from '../../../../../pipelines/generation/generator.ts';
import {
  layoutOf,
  storedArchitecture,
} from '../../../../../pipelines/generators/halo/network/architecture.ts';
import { packSets } from '../../../../../pipelines/generators/halo/network/batch.ts';
import { HaloNetwork } from '../../../../../pipelines/generators/halo/network/network.ts';
import { haloConfig } from '../../../../../pipelines/generators/halo/training/config.ts';
import halo from '../../../../../pipelines/generators/halo.ts';
import { openOps } from '../../../../../pipelines/nn/ops/open-ops.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../../../../../pipelines/patients/visit-columns.ts';

test.before(async () => {
  await startBackend();
});

/** One visit each, with code 0 and code 2 or with code 1 and code 3: nothing but the visit itself tells which. */
const pairs = (patients: number): VisitColumns => {
  const builder = new VisitColumnsBuilder();
  for (let patient = 0; patient < patients; patient++)
    builder.addPatient([patient % 2 === 0 ? [0, 2] : [1, 3]], [patient % 3 === 0 ? 1 : 0]);
  return builder.build();
};

const data: TrainingData = {
  vocabulary: {
    codes: Array.from({ length: 4 }, (_, i) => ({ modality: 'dx' as const, code: `${i}` })),
    labels: ['noise'],
  },
  train: pairs(48),
  validation: pairs(24),
};

const fitted = async (head: 'fine' | 'coarse') => {
  const config = haloConfig.parse({
    ...{ layers: 1, heads: 2, embedding: 16, learningRate: 0.03, epochs: 80, batch: 16, start: 'random' },
    ...{ head, calibration: 0, weightDecay: 0 },
  });
  const fitting = await halo.fit(data, config, 1);
  while (!fitting.finished) await fitting.step();
  const saved = await fitting.model();
  fitting.dispose();
  const sampler = await halo.open(saved, config, data.vocabulary);
  const columns = await sampler.sample({ first: 0, count: 500, seed: 2 });
  sampler.dispose();
  return { saved, columns };
};

/** Share of visits that are one of the two kinds. */
const wellFormed = ({ codes, codeOffsets }: VisitColumns): number => {
  const visits = codeOffsets.length - 1;
  const good = Array.from({ length: visits }, (_, visit) =>
    ['0,2', '1,3'].includes(codes.subarray(codeOffsets[visit], codeOffsets[visit + 1]).join()) ? 1 : 0,
  );
  return good.reduce<number>((a, b) => a + b, 0) / visits;
};

/** Most that the logits of a visit's codes change when its other codes do, of the first visit of a patient. */
const heed = async ({ saved }: Awaited<ReturnType<typeof fitted>>): Promise<number> => {
  const architecture = storedArchitecture.parse(saved.json['architecture']);
  const network = await HaloNetwork.fromReference(await openOps(), architecture, 1024, saved.arrays);
  const { start, width, codes } = layoutOf(architecture);
  const logits = await network.logits(packSets([[], [0, 2], [1, 3]].map((set) => [[start], [], set])));
  network.dispose();
  const row = (patient: number) => logits.subarray((2 * patient + 1) * width).subarray(0, codes);
  return [1, 2].reduce((most, patient) => {
    const base = row(0);
    return row(patient).reduce((top, logit, i) => Math.max(top, Math.abs(logit - (base[i] as number))), most);
  }, 0);
};

test.serial(
  'with a coarse head the history alone decides, with a fine one the visit’s codes as well',
  async (t) => {
    const [fine, coarse] = [await fitted('fine'), await fitted('coarse')];
    t.true((await heed(fine)) > 1, 'codes of a visit speak to each other');
    t.is(await heed(coarse), 0);
    const [good, poor] = [wellFormed(fine.columns), wellFormed(coarse.columns)];
    // Four codes by a coin each: an eighth of the visits, of those that have a code a little more.
    t.true(good > 0.9 && poor < 0.25 && poor > 0.05, `${good} and ${poor}`);
  },
);
