import type { ArtifactRef } from '../schemas/artifact.ts';
import type { Plan, PlanInput, PlanNode } from '../schemas/plan.ts';
import { nodesBefore } from '../schemas/plan-inputs.ts';
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

/** Pause before a node's second attempt, and the most that it grows to: each pause is twice the one before it. */
export const retryPauseMs = { first: 1000, longest: 60_000 };

/** What a finished stage means for its node. */
export const succeeded = (result: StageResult): Outcome => ({
  state: result.cached ? 'cached' : 'done',
  result,
});

/** What becomes of a node that the end of its run has stopped or kept from starting. */
export const canceled: Outcome = {
  state: 'skipped',
  failure: { code: 'Canceled', message: 'the run was canceled' },
};

/**
 * Takes a plan to its end, whatever performs its nodes: each is performed the moment the nodes it reads from have
 * settled, or skipped when what it needs failed. `perform` never rejects for a failure of the node. Temporal replays
 * this by the order of its awaits: a change here must replay every recorded history.
 */
export const settleNodes = async (
  plan: Plan,
  board: Board,
  perform: (node: PlanNode, inputs: NodeInputs) => Promise<Outcome>,
): Promise<Outcomes> => {
  const outcomes = new Map<string, Outcome>();
  const pending = new Map<string, Promise<void>>();
  const settle = async (node: PlanNode): Promise<void> => {
    for (const id of nodesBefore(node)) await pending.get(id);
    const gathered = gatherInputs(node, outcomes);
    const outcome: Outcome =
      'skip' in gathered
        ? { state: 'skipped', failure: gathered.skip }
        : await perform(node, gathered.inputs);
    outcomes.set(node.id, outcome);
    board.settle(node.id, outcome);
  };
  for (const node of plan.nodes) pending.set(node.id, settle(node));
  await Promise.all(pending.values());
  return outcomes;
};

/** How a run of these outcomes ends: with a result, or with the sentence that says which nodes sank it. */
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
