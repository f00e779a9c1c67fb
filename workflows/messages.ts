import { defineQuery } from '@temporalio/workflow';
import type { NodeStatus } from '../schemas/progress.ts';

/** Every node of the run with its state, in the order of the plan; empty until the plan is compiled. */
export const status = defineQuery<NodeStatus[]>('status');
