import * as tf from '@tensorflow/tfjs';
import test from 'ava';
import { testGoldenBilstm } from './bilstm-golden.ts';

testGoldenBilstm(test, () => tf.setBackend('cpu'));
