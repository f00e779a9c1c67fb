import { z } from 'zod';
import type { ArtifactKind } from '../../schemas/artifact.ts';
import { StageError } from '../../schemas/errors.ts';
import type { PlanNode } from '../../schemas/plan.ts';
import type { RunConfig } from '../../schemas/run-config.ts';
import type { Slot, Stage } from '../../schemas/stage.ts';

/** What a node will produce, before it exists: later nodes consume it. Typed by artifact kind. */
export interface Edge<K extends ArtifactKind = ArtifactKind> {
  node: string;
  kind: K;
}

type Wire<S extends Slot> = S extends readonly [infer K extends ArtifactKind]
  ? Edge<K>[]
  : S extends ArtifactKind
    ? Edge<S>
    : never;

export interface Placement {
  /** Default: the stage's name. */
  id?: string;
  /** Default true: the run fails if this node does. */
  required?: boolean;
}

/** Collects nodes. `add` returns the edge that later nodes consume, so a cycle cannot be written. */
export class DagBuilder {
  readonly nodes: PlanNode[] = [];

  add<In extends Record<string, Slot>, Out extends ArtifactKind, P extends z.ZodType>(
    stage: Stage<string, In, Out, P>,
    inputs: { [K in keyof In]: Wire<In[K]> },
    params: z.input<P>,
    { id = stage.name, required = true }: Placement = {},
  ): Edge<Out> {
    if (this.nodes.some((node) => node.id === id)) throw new RangeError(`two nodes are called ${id}`);
    const filled = stage.params.safeParse(params);
    if (!filled.success)
      throw new StageError('InvalidConfig', `params of ${id}: ${z.prettifyError(filled.error)}`);
    const wires = Object.entries<Edge | Edge[]>(inputs).map(([slot, edge]) => [
      slot,
      Array.isArray(edge) ? edge.map(({ node }) => node) : edge.node,
    ]);
    this.nodes.push({
      id,
      stage: stage.name,
      params: z.json().parse(filled.data),
      inputs: Object.fromEntries(wires),
      required,
      policy: { ...stage.policy },
    });
    return { node: id, kind: stage.output };
  }
}

/** A graph of stages, drawn anew for each run config. Nodes are added in topological order. */
export interface Dag {
  name: string;
  draw(builder: DagBuilder, run: RunConfig): void;
}

export const defineDag = (name: string, draw: Dag['draw']): Dag => ({ name, draw });
