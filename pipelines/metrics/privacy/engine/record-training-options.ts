import { z } from 'zod';

const count = z.int().positive().optional();

/** Settings of the LSTM+MLP models that attack privacy; what is not given is decided by the attack. */
export const recordTrainingOptions = z
  .strictObject({
    embedding: count.describe('of a code'),
    hidden: count.describe('units of the LSTM, per direction'),
    middle: count.describe('width between LSTM and codes'),
    layers: count,
    directions: z
      .union([z.literal(1), z.literal(2)])
      .optional()
      .describe('2: reads forward and backward'),
    learningRate: z.number().positive().optional(),
    batchSize: count,
    epochs: count,
    leastUpdates: z
      .int()
      .nonnegative()
      .optional()
      .describe('small sets get more passes, until so many updates'),
  })
  .prefault({});

/** The settings that were given, without those that were not. */
export const defined = <T extends object>(settings: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
