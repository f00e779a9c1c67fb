import test from 'ava';
import { startBackend } from '../../../../infra/backend.ts';
import { layoutOf } from '../../../../pipelines/generation/record-sets.ts';
import { packPatients } from '../../../../pipelines/generators/halo/network/batch.ts';
import { HaloNetwork } from '../../../../pipelines/generators/halo/network/network.ts';
import { adamRates } from '../../../../pipelines/nn/layers/adam.ts';
import { type NativeBinding, nativeBinding } from '../../../../pipelines/nn/ops/native-binding.ts';
import { NativeOps } from '../../../../pipelines/nn/ops/native-ops.ts';
import { goldenHalo, goldenTensors, tiny } from '../../generators/halo/network/golden.ts';

/**
 * The addon with a counter that takes steps of `stride`: it starts over after 2^32 / stride handles. Like the addon,
 * it answers with the array that has the number already, if one has.
 */
const shortOfNumbers = (real: NativeBinding, stride: number): NativeBinding => {
  const known = new Map<number, number>();
  let next = 0;
  const number = (handle: number): number => {
    const id = next;
    next = (next + stride) | 0;
    if (!known.has(id)) known.set(id, handle);
    return id;
  };
  const handleOf = (id: number): number => {
    const handle = known.get(id);
    if (handle === undefined) throw new Error(`tensor ${id} not referenced`);
    return handle;
  };
  const short: Partial<NativeBinding> = {
    createTensor: (shape, dtype, values) => number(real.createTensor(shape, dtype, values)),
    deleteTensor(id) {
      real.deleteTensor(handleOf(id));
      known.delete(id);
    },
    tensorDataSync: (id) => real.tensorDataSync(handleOf(id)),
    executeOp: (operation, attributes, inputs, outputs) =>
      real
        .executeOp(operation, attributes, inputs.map(handleOf), outputs)
        .map((made) => ({ ...made, id: number(made.id) })),
    getNumOfTensors: () => known.size,
  };
  const properties = Object.entries(short).map(([name, value]) => [name, { value }]);
  return Object.create(real, Object.fromEntries(properties));
};

const found = (): NativeBinding => {
  const binding = nativeBinding();
  if (!binding) throw new Error('these tests need native TensorFlow');
  return binding;
};

test.before(async () => {
  await startBackend();
});

/** Losses of a short training, and what is alive after each step. */
const train = async (binding: NativeBinding, steps: number) => {
  const { columns } = await goldenHalo();
  const network = await HaloNetwork.fromReference(
    new NativeOps(binding),
    tiny,
    16,
    await goldenTensors('halo_tiny_weights'),
  );
  const batch = packPatients(layoutOf(tiny), columns, Int32Array.of(0, 1, 2, 3), tiny.maxVisits);
  const scale = { normalization: 'cells', positiveWeight: 1, maxVisits: tiny.maxVisits } as const;
  const losses: number[] = [];
  const alive: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const rates = adamRates(step, 1e-3);
    const update = (
      parameter: Parameters<typeof network.ops.adam>[0],
      gradient: { id: number; shape: readonly number[] },
    ) => network.ops.adam(parameter, gradient, rates);
    losses.push(await network.learn(batch, scale, update));
    alive.push(binding.getNumOfTensors());
  }
  network.dispose();
  return { losses, alive };
};

test.serial('training goes on unchanged when the numbers of handles start over, many times', async (t) => {
  const plain = await train(found(), 40);
  // 2^14 numbers; a step takes about 700, so they start over every 23 steps.
  const short = shortOfNumbers(found(), 2 ** 18);
  const { losses, alive } = await train(short, 40);
  t.deepEqual(losses, plain.losses);
  t.is(short.getNumOfTensors(), 0);
  t.true(Math.max(...alive) < 1024, `${Math.max(...alive)} alive`);
});

test.serial('a number that is given out twice is noticed, not computed with', (t) => {
  const ops = new NativeOps(shortOfNumbers(found(), 2 ** 28));
  const row = (): number[] => [ops.upload(new Float32Array(4), [4]).id];
  t.throws(() => ops.scope(() => Array.from({ length: 17 }, row)), { message: /given out twice/ });
  ops.dispose();
});
