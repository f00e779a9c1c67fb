import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs';
import test from 'ava';
import { testHaloScores } from '../sampling/scores.ts';
import { testGoldenHalo } from './golden.ts';

testGoldenHalo(test, () => tf.setBackend('wasm'));
testHaloScores(test, () => tf.setBackend('wasm'));
