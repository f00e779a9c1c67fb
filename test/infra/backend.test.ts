import test from 'ava';
import { type Ran, startNode } from '../helpers/bare-machine.ts';

const backend = JSON.stringify(new URL('../../infra/backend.ts', import.meta.url).href);
const root = new URL('../..', import.meta.url).pathname;

/** Starts the backend in a process of its own, computes a little of all that models need, and prints it. */
const compute = `
  import { startBackend } from ${backend};
  import * as tf from '@tensorflow/tfjs';
  const info = await startBackend();
  const again = await startBackend();
  const x = tf.tensor2d([[1, 2], [3, 4], [5, 6]]);
  const ids = tf.tensor1d([0, 1, 0], 'int32');
  const before = tf.memory().numTensors;
  const values = tf.tidy(() => [
    tf.matMul(x, x, true),
    tf.unsortedSegmentSum(x, ids, 2),
    tf.einsum('ij,kj->ik', x, x),
    tf.grad((v) => tf.gather(v, ids).square().sum())(x),
  ].map((tensor) => tensor.arraySync()));
  const leaked = tf.memory().numTensors - before;
  process.stdout.write(JSON.stringify({ info, same: info === again, using: tf.getBackend(), values, leaked }));
`;

const expected = [
  [
    [35, 44],
    [44, 56],
  ],
  [
    [6, 8],
    [3, 4],
  ],
  [
    [5, 11, 17],
    [11, 25, 39],
    [17, 39, 61],
  ],
  [
    [4, 8],
    [6, 8],
    [0, 0],
  ],
];

const start = (wish: string, ...flags: string[]): Promise<Ran> => {
  const args = [...flags, '--input-type=module', '--eval', compute];
  return startNode(args, { cwd: root, env: { UNDERSTUDY_TF: wish } }).done;
};

test('native TensorFlow computes on the CPU, and says nothing on stderr', async (t) => {
  const { code, stdout, stderr } = await start('cpu');
  t.is(stderr, '');
  t.is(code, 0);
  const said = JSON.parse(stdout);
  t.like(said, { same: true, using: 'tensorflow', leaked: 0 });
  t.like(said.info, { name: 'tensorflow', device: 'cpu' });
  t.regex(said.info.library, /^\d+\.\d+\.\d+/);
  t.deepEqual(said.values, expected);
});

test('WASM computes the same, with the kernels it lacks lent by pure JavaScript', async (t) => {
  const { code, stdout, stderr } = await start('js');
  t.is(stderr, '');
  t.is(code, 0);
  const said = JSON.parse(stdout);
  t.like(said, { using: 'wasm', leaked: 0 });
  t.deepEqual(said.values, expected);
});

/** Hides one package from a process, as if it could not be loaded. */
const without = (name: string): string =>
  `--import=data:text/javascript,${encodeURIComponent(`
    import { registerHooks } from 'node:module';
    registerHooks({ resolve: (specifier, context, next) => {
      if (specifier === ${JSON.stringify(name)}) throw new Error('hidden by the test');
      return next(specifier, context);
    } });
  `)}`;

test('where nothing native loads, `auto` warns aloud and goes on with WASM', async (t) => {
  const { code, stdout, stderr } = await start('auto', without('@tensorflow/tfjs-node'));
  t.is(code, 0);
  t.regex(
    stderr,
    /^WARNING: native TensorFlow does not load \(hidden by the test\)\. Computing with wasm instead/,
  );
  t.deepEqual(JSON.parse(stdout).values, expected);
});

test('where WebAssembly is missing too, pure JavaScript computes', async (t) => {
  const { stdout } = await start('js', without('@tensorflow/tfjs-backend-wasm'));
  const said = JSON.parse(stdout);
  t.is(said.using, 'cpu');
  t.deepEqual(said.values, expected);
});

test('native TensorFlow that was asked for by name is not replaced in silence', async (t) => {
  for (const wish of ['cpu', 'gpu']) {
    const { code, stderr } = await start(wish, without('@tensorflow/tfjs-node'));
    t.is(code, 1);
    t.regex(stderr, new RegExp(`BackendUnavailable: UNDERSTUDY_TF=${wish} asks for native TensorFlow`));
  }
});

test('a GPU is used when asked for, or its absence is an error', async (t) => {
  const { code, stdout, stderr } = await start('gpu');
  if (code === 0) t.is(JSON.parse(stdout).info.device, 'gpu');
  else t.regex(stderr, /BackendUnavailable: UNDERSTUDY_TF=gpu asks for a GPU, and TensorFlow .* found none/);
});
