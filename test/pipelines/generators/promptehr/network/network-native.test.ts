import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import { testGoldenPromptEhr } from './golden.ts';

testGoldenPromptEhr(test, startBackend);
