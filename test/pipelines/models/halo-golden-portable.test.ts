import * as tf from '@tensorflow/tfjs';
import test from 'ava';
import { testGoldenHalo } from './halo-golden.ts';
import { testHaloScores } from './halo-scores.ts';

testGoldenHalo(test, () => tf.setBackend('cpu'));
testHaloScores(test, () => tf.setBackend('cpu'));
