import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs';
import test from 'ava';
import { testGoldenHalo } from './halo-golden.ts';
import { testHaloScores } from './halo-scores.ts';

testGoldenHalo(test, () => tf.setBackend('wasm'));
testHaloScores(test, () => tf.setBackend('wasm'));
