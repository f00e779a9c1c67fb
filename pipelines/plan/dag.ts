import { z } from 'zod';
import type { ArtifactKind, ArtifactRef } from '../../schemas/artifact.ts';
import type { PlanInput, PlanNode } from '../../schemas/plan.ts';
import type { RunConfig } from '../../schemas/run-config.ts';
import type { Slot, Stage } from '../../schemas/stage.ts';
import { parseConfig } from '../kernel/parse-config.ts';

/** What a node will produce, before it exists: later nodes consume it. Typed by artifact kind. */
export interface Edge<K extends ArtifactKind = ArtifactKind> {
  node: string;
  kind: K;
}

/** What goes into a slot: the output of a node, or an artifact that is in the store already. */
type Wire<S extends Slot> = S extends readonly [infer K extends ArtifactKind]
  ? (Edge<K> | ArtifactRef<K>)[]
  : S extends ArtifactKind
    ? Edge<S> | ArtifactRef<S>
    : never;

const toInput = (wire: Edge | ArtifactRef): PlanInput =>
  'node' in wire ? wire.node : { kind: wire.kind, digest: wire.digest };

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
    const filled = parseConfig(stage.params, params, `${id}: params`);
    const wires = Object.entries<Wire<Slot>>(inputs).map(([slot, wire]) => [
      slot,
      Array.isArray(wire) ? wire.map(toInput) : toInput(wire),
    ]);
    this.nodes.push({
      id,
      stage: stage.name,
      // A plan is JSON: a param that is left undefined is absent.
      params: z.json().parse(JSON.parse(JSON.stringify(filled))),
      inputs: Object.fromEntries(wires),
      required,
      policy: { ...stage.policy },
    });
    return { node: id, kind: stage.output };
  }
}

/** A graph of stages, built for each run config. Nodes are added in topological order. */
export interface Dag {
  name: string;
  build(builder: DagBuilder, run: RunConfig): void;
}

export const defineDag = (name: string, build: Dag['build']): Dag => ({ name, build });
