import test from 'ava';
import { startBackend } from '../../../infra/backend.ts';
import { conform } from './conformance.ts';

await startBackend();
conform(test, 'privacy');
