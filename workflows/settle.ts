import type { ArtifactRef } from '../schemas/artifact.ts';
import type { Plan, PlanInput, PlanNode } from '../schemas/plan.ts';
import type { NodeStatus, RunResult, StageResult } from '../schemas/progress.ts';

export type Failure = NonNullable<NodeStatus['failure']>;
export type NodeInputs = Record<string, ArtifactRef | ArtifactRef[]>;

/** How a node ended: its result; or why it failed or was skipped. */
export type Outcome =
  | { state: 'done' | 'cached'; result: StageResult }
  | { state: 'failed' | 'skipped'; failure: Failure };
export type Outcomes = ReadonlyMap<string, Outcome>;

const refOf = (outcomes: Outcomes, input: PlanInput): ArtifactRef | undefined => {
  if (typeof input !== 'string') return input;
  const outcome = outcomes.get(input);
  return outcome && 'result' in outcome ? outcome.result.ref : undefined;
};

/**
 * A node's inputs from the outcomes of the nodes it reads, or why it must be skipped. A slot that takes one artifact
 * needs it; a slot that takes a list takes those that are left, as long as there is one.
 */
export const gatherInputs = (
  node: PlanNode,
  outcomes: Outcomes,
): { inputs: NodeInputs } | { skip: Failure } => {
  const inputs: NodeInputs = {};
  for (const [slot, from] of Object.entries(node.inputs)) {
    const given = [from].flat();
    const refs = given.map((input) => refOf(outcomes, input)).filter((ref) => ref !== undefined);
    if (refs.length === 0 && given.length > 0)
      return {
        skip: { code: 'Skipped', message: `nothing for input ${slot}: ${given.join(', ')} did not finish` },
      };
    const [first] = refs;
    if (Array.isArray(from)) inputs[slot] = refs;
    else if (first) inputs[slot] = first;
  }
  return { inputs };
};

/** How a run of these outcomes ends: with a result, or with a sentence that names the failed nodes. */
export const conclude = (plan: Plan, outcomes: Outcomes): { result: RunResult } | { failure: string } => {
  const refs: RunResult['refs'] = {};
  const failed: RunResult['failed'] = [];
  const reasons: string[] = [];
  for (const { id } of plan.nodes) {
    const outcome = outcomes.get(id);
    if (!outcome) continue;
    if ('result' in outcome) refs[id] = outcome.result.ref;
    else {
      failed.push({ id, code: outcome.failure.code });
      if (outcome.state === 'failed')
        reasons.push(`${id} (${outcome.failure.code}: ${outcome.failure.message})`);
    }
  }
  const withoutOutput = plan.nodes
    .filter(({ id, required }) => required && !(id in refs))
    .map(({ id }) => id);
  if (withoutOutput.length === 0) return { result: { refs, failed } };
  return { failure: `no output of ${withoutOutput.join(', ')}; failed: ${reasons.join('; ')}` };
};

/** The state of every node of a plan, kept for the `status` query. */
export class Board {
  readonly #rows = new Map<string, NodeStatus>();

  constructor(plan: Plan) {
    for (const { id, stage, policy } of plan.nodes)
      this.#rows.set(id, { id, stage, queue: policy.queue, state: 'waiting' });
  }

  start(id: string): void {
    this.#update(id, { state: 'running' });
  }

  settle(id: string, outcome: Outcome): void {
    this.#update(id, outcome);
  }

  list(): NodeStatus[] {
    return [...this.#rows.values()];
  }

  #update(id: string, change: Partial<NodeStatus>): void {
    const row = this.#rows.get(id);
    if (row) this.#rows.set(id, { ...row, ...change });
  }
}
