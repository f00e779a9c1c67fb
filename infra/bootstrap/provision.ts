import { StageError } from '../../schemas/errors.ts';
import type { FetchContext } from './fetch-wheels.ts';
import { ensureTemporal } from './temporal.ts';
import { ensureTensorflow } from './tensorflow.ts';

/** What provisioning came to. `warnings` are for people: what is missing, and the fix. */
export interface Provisioned {
  tensorflow: string;
  temporal: { path: string; server: string };
  warnings: string[];
}

/**
 * Makes native TensorFlow and the Temporal CLI ready; quick when both are. TensorFlow that cannot be had is a warning
 * under UNDERSTUDY_TF=auto and BackendUnavailable where it was asked for; Temporal is TemporalUnavailable.
 */
export const provision = async (context: FetchContext): Promise<Provisioned> => {
  const { environment, signal } = context;
  const warnings: string[] = [];
  const tensorflow = await ensureTensorflow(context).catch((cause: unknown) => {
    signal?.throwIfAborted();
    const why = cause instanceof Error ? cause.message : String(cause);
    if (environment.tensorflow !== 'auto')
      throw cause instanceof StageError ? cause : new StageError('BackendUnavailable', why, { cause });
    warnings.push(
      `WARNING: native TensorFlow could not be provisioned: ${why}\n` +
        'Computing falls back to WASM, many times slower: fit for small work only.',
    );
    return 'not available';
  });
  return { tensorflow, temporal: await ensureTemporal(context), warnings };
};
