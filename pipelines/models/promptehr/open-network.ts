import type { NamedArray } from '../../checkpointable.ts';
import type { Ops } from '../../nn/ops.ts';
import { Pace } from '../../nn/pace.ts';
import type { PromptArchitecture } from './architecture.ts';
import { PromptNetwork } from './network.ts';
import { partsOf, readPart } from './parts.ts';

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
  return new PromptNetwork(ops, architecture, ({ name }) => {
    const value = values.get(name);
    return value ? { value } : {};
  });
};
