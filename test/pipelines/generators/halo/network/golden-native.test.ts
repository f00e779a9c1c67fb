import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import { testHaloScores } from '../sampling/scores.ts';
import { testGoldenHalo } from './golden.ts';

testGoldenHalo(test, startBackend);
testHaloScores(test, startBackend);
