import type { Client } from '@temporalio/client';
import { StageError } from '../../schemas/errors.ts';
import { readEnvironment } from '../env.ts';

/**
 * Lends a connected client of the environment's server; an answer it fails to give becomes
 * TemporalUnavailable.
 */
export const withClient = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
  const { temporalAddress: address, temporalNamespace: namespace } = readEnvironment();
  const { connectClient } = await import('../connect.ts');
  const { isGrpcServiceError, ServiceError } = await import('@temporalio/client');
  const client = await connectClient({ address, namespace });
  try {
    return await work(client);
  } catch (error) {
    if (!(error instanceof ServiceError || isGrpcServiceError(error))) throw error;
    const { cause = error, message } = error;
    const detail = cause instanceof Error ? cause.message : message;
    throw new StageError('TemporalUnavailable', `the Temporal server at ${address} failed: ${detail}`, {
      cause: error,
    });
  } finally {
    await client.connection.close();
  }
};
