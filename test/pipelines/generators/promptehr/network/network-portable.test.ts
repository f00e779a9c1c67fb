import * as tf from '@tensorflow/tfjs';
import test from 'ava';
import { testGoldenPromptEhr } from './golden.ts';

// Plain JavaScript is slow: the short cases only.
testGoldenPromptEhr(test, () => tf.setBackend('cpu'), ['val_diag', 'test_med_tpl']);
