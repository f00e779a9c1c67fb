import { readFile } from 'node:fs/promises';
import type { TestFn } from 'ava';
import { z } from 'zod';
import { layoutOf } from '../../../../../pipelines/generation/record-sets.ts';
import type { Architecture } from '../../../../../pipelines/generators/halo/network/architecture.ts';
import { type Batch, packPatients } from '../../../../../pipelines/generators/halo/network/batch.ts';
import type { LossScale } from '../../../../../pipelines/generators/halo/network/loss.ts';
import { HaloNetwork } from '../../../../../pipelines/generators/halo/network/network.ts';
import { toReference, type Weight } from '../../../../../pipelines/generators/halo/network/weight-layout.ts';
import type { NamedArray } from '../../../../../pipelines/kernel/checkpointable.ts';
import { Pace } from '../../../../../pipelines/kernel/pace.ts';
import { decodeSafetensors } from '../../../../../pipelines/kernel/safetensors.ts';
import { adamRates } from '../../../../../pipelines/nn/layers/adam.ts';
import { deviceArrays, openOps } from '../../../../../pipelines/nn/ops/open-ops.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../../../../../pipelines/patients/visit-columns.ts';

const folder = new URL('../../../../fixtures/golden/', import.meta.url);

/** Tensors of one golden file, by their names in the reference. */
export const goldenTensors = async (name: string): Promise<Record<string, NamedArray>> =>
  decodeSafetensors(await readFile(new URL(`${name}.safetensors`, folder))).arrays;

const goldenSchema = z.object({
  patients: z.array(z.object({ visits: z.array(z.array(z.int())), labels: z.array(z.int()) })),
  loss: z.number(),
  loss_pos_weight_3: z.number(),
  'adam_lr1e-4_losses': z.array(z.number()),
  loss_normalisation: z.object({ bce_mean_over_unmasked_cells: z.number() }),
  test_model_metrics_12_patients: z.object({
    avg_loss: z.number(),
    log_probability: z.number(),
    f1: z.number(),
    pp_visit: z.number(),
    pp_positive: z.number(),
    pp_possible: z.number(),
    confusion_tn_fp_fn_tp: z.array(z.number()),
  }),
  membership_log_prob_per_patient: z.array(z.number()),
});

/** The reference's tiny model: 32 codes, 5 labels, context 8. */
export const tiny: Architecture = {
  layers: 2,
  heads: 2,
  embedding: 32,
  codes: 32,
  labels: 5,
  maxVisits: 6,
  positions: 10,
};

export const goldenHalo = async (): Promise<z.output<typeof goldenSchema> & { columns: VisitColumns }> => {
  const text = await readFile(new URL('halo_tiny.json', folder), 'utf8');
  const golden = goldenSchema.parse(JSON.parse(text));
  const builder = new VisitColumnsBuilder();
  for (const { visits, labels } of golden.patients) builder.addPatient(visits, labels);
  return { ...golden, columns: builder.build() };
};

const fourPatients = (columns: VisitColumns): Batch =>
  packPatients(layoutOf(tiny), columns, Int32Array.of(0, 1, 2, 3), tiny.maxVisits);

const padded: LossScale = { normalization: 'padded', positiveWeight: 1, maxVisits: tiny.maxVisits };

/** The reference's tiny network, its head cut into blocks of `blockSize`. */
export const openTiny = async (blockSize: number): Promise<HaloNetwork> =>
  HaloNetwork.fromReference(await openOps(), tiny, blockSize, await goldenTensors('halo_tiny_weights'));

/** Ones where the reference's cell has a counterpart in ours. */
const liveCells = (weights: readonly Weight[]): Promise<Record<string, NamedArray>> => {
  const ones = ({ shape }: Weight) => new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1);
  return toReference(tiny, weights, ones, new Pace());
};

/** Largest difference over the live cells, relative to the tensor's largest number. */
const furthest = (
  ours: Record<string, NamedArray>,
  theirs: Record<string, NamedArray>,
  live: Record<string, NamedArray>,
): { name: string; distance: number }[] =>
  Object.entries(theirs).map(([name, expected]) => {
    let distance = 0;
    let size = 0;
    expected.data.forEach((value, i) => {
      if (Number(live[name]?.data[i]) === 0) return;
      distance = Math.max(distance, Math.abs(Number(value) - Number(ours[name]?.data[i])));
      size = Math.max(size, Math.abs(Number(value)));
    });
    return { name, distance: distance / size };
  });

/** The golden tests of HALO, on whatever backend `start` starts; block sizes that cut the width unevenly and not. */
export const testGoldenHalo = (test: TestFn, start: () => Promise<unknown>): void => {
  test.serial.before(async () => {
    await start();
  });

  for (const blockSize of [7, 13, 64]) {
    test.serial(`probabilities equal the reference's (blocks of ${blockSize})`, async (t) => {
      const { columns } = await goldenHalo();
      const io = await goldenTensors('halo_tiny_io');
      const before = deviceArrays();
      const network = await openTiny(blockSize);
      const batch = fourPatients(columns);
      const logits = await network.logits(batch);
      let furthestOff = 0;
      for (let patient = 0; patient < 4; patient++) {
        const first = batch.offsets[patient] as number;
        for (let row = first; row < (batch.offsets[patient + 1] as number); row++)
          for (let column = 0; column < 40; column++) {
            const ours = 1 / (1 + Math.exp(-(logits[row * 40 + column] as number)));
            const theirs = io['probs_unmasked']?.data[(patient * 7 + row - first) * 40 + column];
            furthestOff = Math.max(furthestOff, Math.abs(ours - Number(theirs)));
          }
      }
      t.true(furthestOff < 1e-5, `off by ${furthestOff}`);
      network.dispose();
      t.is(deviceArrays(), before);
    });

    for (const [positiveWeight, file] of [
      [1, 'halo_tiny_grads'],
      [3, 'halo_tiny_grads_posweight3'],
    ] as const)
      test.serial(
        `gradients equal the reference's (blocks of ${blockSize}, weight ${positiveWeight})`,
        async (t) => {
          const { columns, ...golden } = await goldenHalo();
          const network = await openTiny(blockSize);
          const gradients = new Map<string, Float32Array>();
          const scale = { ...padded, positiveWeight };
          const loss = await network.learn(fourPatients(columns), scale, (parameter, gradient) => {
            t.false(gradients.has(parameter.name), `${parameter.name} twice`);
            gradients.set(parameter.name, network.ops.download(gradient));
          });
          const expected = positiveWeight === 1 ? golden.loss : golden.loss_pos_weight_3;
          t.true(Math.abs(loss - expected) < 1e-6, `loss ${loss}, expected ${expected}`);
          const valuesOf = ({ name }: Weight) => gradients.get(name) ?? new Float32Array(0);
          const ours = await toReference(tiny, network.weights, valuesOf, network.pace);
          const live = await liveCells(network.weights);
          for (const { name, distance } of furthest(ours, await goldenTensors(file), live))
            t.true(distance < 1e-5, `${name} off by ${distance}`);
          network.dispose();
        },
      );
  }

  test.serial('five Adam steps end at the reference’s weights', async (t) => {
    const { columns, ...golden } = await goldenHalo();
    const network = await openTiny(16);
    for (const [i, expected] of golden['adam_lr1e-4_losses'].entries()) {
      const rates = adamRates(i + 1, 1e-4);
      const loss = await network.learn(fourPatients(columns), padded, (parameter, gradient) =>
        network.ops.adam(parameter, gradient, rates),
      );
      t.true(Math.abs(loss - expected) < 2e-6, `step ${i + 1}: loss ${loss}, expected ${expected}`);
    }
    const expected = await goldenTensors('halo_tiny_weights_after5adam');
    const initial = await goldenTensors('halo_tiny_weights');
    const ours = await network.reference();
    const live = await liveCells(network.weights);
    for (const { name, distance } of furthest(ours, expected, live))
      t.true(distance < 1e-5, `${name} off by ${distance}`);
    // Cells that we do not keep are cells that the reference never moves.
    for (const [name, { data }] of Object.entries(live))
      data.forEach((alive, i) => {
        if (alive === 0 && expected[name]?.data[i] !== initial[name]?.data[i]) t.fail(`${name}[${i}] moved`);
      });
    network.dispose();
  });

  test.serial('by default the loss is a mean over real cells', async (t) => {
    const { columns, ...golden } = await goldenHalo();
    const network = await openTiny(64);
    const cells = { ...padded, normalization: 'cells' } as const;
    const { sum, cells: count } = await network.loss(fourPatients(columns), cells);
    t.is(count, 680);
    t.true(Math.abs(sum / count - golden.loss_normalisation.bce_mean_over_unmasked_cells) < 1e-6);
    const all = packPatients(
      layoutOf(tiny),
      columns,
      Int32Array.from({ length: 12 }, (_, i) => i),
      6,
    );
    const { sum: total } = await network.loss(all, cells);
    t.true(Math.abs(total + golden.test_model_metrics_12_patients.log_probability) < 1e-2, `${total}`);
    network.dispose();
  });
};
