import test from 'ava';
import { startBackend } from '../../../infra/backend.ts';
import { testGoldenHalo } from './halo-golden.ts';

testGoldenHalo(test, startBackend);
