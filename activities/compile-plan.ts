import { z } from 'zod';
import { compile } from '../pipelines/plan/compile.ts';
import { nightly } from '../pipelines/plan/nightly.ts';
import { StageError } from '../schemas/errors.ts';
import type { Plan, PlanNode } from '../schemas/plan.ts';
import { storedInputs } from '../schemas/plan-inputs.ts';
import { runConfig } from '../schemas/run-config.ts';
import type { Store } from '../schemas/store.ts';

const card = z.object({ generator: z.string() });
const training = z.object({ generator: z.string() });

/** Refuses a model that training cannot start from now, before anything is computed, and not after the extraction. */
const checkStored = async (node: PlanNode, store: Store): Promise<void> => {
  for (const ref of storedInputs(node)) {
    const artifact = await store.open(ref).catch((error: unknown) => {
      if (!(error instanceof StageError && error.code === 'ArtifactMissing')) throw error;
      throw new StageError(
        'ArtifactMissing',
        `${node.id} reads ${ref.kind} ${ref.digest}, which the store of the worker does not have; the worker's ` +
          'UNDERSTUDY_STORE must be the store that the artifact was made in',
      );
    });
    if (ref.kind !== 'model' || node.stage !== 'train') continue;
    const [{ generator: found }, { generator: expected }] = [
      card.parse(await artifact.json('model.json')),
      training.parse(node.params),
    ];
    if (found !== expected)
      throw new StageError(
        'InvalidConfig',
        `${node.id} is to start from model ${ref.digest.slice(0, 12)}: a model of ${expected} expected, found ${found}`,
      );
  }
};

/**
 * The plan of a config, compiled with the present DAG. Throws InvalidConfig naming the key, and
 * ArtifactMissing where the plan reads an artifact that the store does not have.
 */
export const compilePlan = async (config: unknown, store: Store): Promise<Plan> => {
  const plan = compile(nightly, runConfig.parse(config));
  for (const node of plan.nodes) await checkStored(node, store);
  return plan;
};
