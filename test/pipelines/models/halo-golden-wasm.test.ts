import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs';
import test from 'ava';
import { testGoldenHalo } from './halo-golden.ts';

testGoldenHalo(test, () => tf.setBackend('wasm'));
