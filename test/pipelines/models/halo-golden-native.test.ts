import test from 'ava';
import { startBackend } from '../../../infra/backend.ts';
import { testGoldenHalo } from './halo-golden.ts';
import { testHaloScores } from './halo-scores.ts';

testGoldenHalo(test, startBackend);
testHaloScores(test, startBackend);
