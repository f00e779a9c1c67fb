import test from 'ava';
import { startBackend } from '../../../infra/backend.ts';
import { testGoldenPromptEhr } from './promptehr-golden.ts';

testGoldenPromptEhr(test, startBackend);
