import type { ArtifactRef } from './artifact.ts';
import type { PlanNode } from './plan.ts';

// Apart from the schema of a plan, so that workflows take nothing of zod into their bundle.

/** Ids of the nodes that a node reads from, in slot order; one that it reads from twice is there twice. */
export const nodesBefore = ({ inputs }: Pick<PlanNode, 'inputs'>): string[] =>
  Object.values(inputs)
    .flat()
    .filter((input) => typeof input === 'string');

/** The artifacts that a node reads and that no node of the plan makes: they are in the store already. */
export const storedInputs = ({ inputs }: Pick<PlanNode, 'inputs'>): ArtifactRef[] =>
  Object.values(inputs)
    .flat()
    .filter((input) => typeof input !== 'string');
