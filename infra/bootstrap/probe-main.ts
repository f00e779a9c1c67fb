import * as tf from '@tensorflow/tfjs';
import { startBackend } from '../backend.ts';

const SIZE = 1024;
const TRIES = 3;

/** The best of a few square products, in GFLOP/s. The native backend computes before `matMul` returns. */
const speed = async (): Promise<number> => {
  const size = tf.getBackend() === 'cpu' ? SIZE / 4 : SIZE;
  const matrix = tf.ones([size, size]);
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= TRIES; i++) {
    const start = performance.now();
    const product = tf.matMul(matrix, matrix);
    await product.data();
    if (i > 0) best = Math.min(best, performance.now() - start);
    product.dispose();
  }
  return (2 * size ** 3) / best / 1e6;
};

try {
  const info = await startBackend();
  process.stdout.write(`${JSON.stringify({ ...info, gflops: await speed() })}\n`);
} catch (error) {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${text.replaceAll('\n', ' ')}\n`);
  process.exitCode = 1;
}
