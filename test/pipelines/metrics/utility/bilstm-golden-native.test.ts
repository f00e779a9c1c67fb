import test from 'ava';
import { startBackend } from '../../../../infra/backend.ts';
import { testGoldenBilstm } from './bilstm-golden.ts';

testGoldenBilstm(test, startBackend);
