import test from 'ava';
import { conform } from './conformance.ts';

conform(test, 'privacy');
