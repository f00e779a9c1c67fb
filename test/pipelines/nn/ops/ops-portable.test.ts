import * as tf from '@tensorflow/tfjs';
import test from 'ava';
import { testOps } from './ops-contract.ts';

testOps(test, () => tf.setBackend('cpu'));
