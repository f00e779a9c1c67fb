import type { NamedArray } from '../../../kernel/checkpointable.ts';
import { Pace } from '../../../kernel/pace.ts';
import type { Ops } from '../../../nn/ops/ops.ts';
import type { PromptArchitecture } from './architecture.ts';
import { PromptNetwork } from './network.ts';
import { partsOf, readPart } from './weight-layout.ts';

/** A network of these numbers, by the names of its parts; what is not among them is zero. */
export const networkOf = (
  ops: Ops,
  architecture: PromptArchitecture,
  values: ReadonlyMap<string, Float32Array>,
): PromptNetwork =>
  new PromptNetwork(ops, architecture, ({ name }) => {
    const value = values.get(name);
    return value ? { value } : {};
  });

/**
 * A network with the reference's weights; the event loop gets its turn between parts. Throws RangeError where a tensor is
 * missing or misshapen.
 */
export const openNetwork = async (
  ops: Ops,
  architecture: PromptArchitecture,
  tensors: Record<string, NamedArray>,
): Promise<PromptNetwork> => {
  const pace = new Pace();
  const values = new Map<string, Float32Array>();
  for (const part of partsOf(architecture)) {
    values.set(
      part.name,
      readPart(part, (reference) => tensors[reference]),
    );
    await pace.rest();
  }
  return networkOf(ops, architecture, values);
};
