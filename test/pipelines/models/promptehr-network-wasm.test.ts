import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs';
import test from 'ava';
import { testGoldenPromptEhr } from './promptehr-golden.ts';

testGoldenPromptEhr(test, () => tf.setBackend('wasm'));
