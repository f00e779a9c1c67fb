import test from 'ava';
import { startBackend } from '../../../../infra/backend.ts';
import { testOps } from './ops-contract.ts';

testOps(test, startBackend);
