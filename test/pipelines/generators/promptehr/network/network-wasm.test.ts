import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs';
import test from 'ava';
import { testGoldenPromptEhr } from './golden.ts';

testGoldenPromptEhr(test, () => tf.setBackend('wasm'));
