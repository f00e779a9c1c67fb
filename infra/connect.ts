import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { StageError } from '../schemas/errors.ts';

export interface TemporalAddress {
  address: string;
  namespace: string;
}

const unavailable = (address: string, cause: unknown): StageError =>
  new StageError('TemporalUnavailable', `no Temporal server answers at ${address}`, { cause });

/** A client to start, ask and follow runs with; close its `connection`. Throws TemporalUnavailable. */
export const connectClient = async ({ address, namespace }: TemporalAddress): Promise<Client> => {
  try {
    const connection = await Connection.connect({ address, connectTimeout: '5s' });
    return new Client({ connection, namespace });
  } catch (cause) {
    throw unavailable(address, cause);
  }
};

/** A worker's connection; it reconnects by itself once it was there. Throws TemporalUnavailable. */
export const connectNative = async ({ address }: TemporalAddress): Promise<NativeConnection> => {
  try {
    return await NativeConnection.connect({ address });
  } catch (cause) {
    throw unavailable(address, cause);
  }
};
