import { z } from 'zod';
import { classifierDefaults } from '../../learners/train-classifiers.ts';

const count = z.int().positive();

/** Settings of the label classifiers; the defaults are those of HALO's script where it has one. */
export const classifierOptions = z
  .strictObject({
    embedding: count.default(classifierDefaults.embedding),
    hidden: count.default(classifierDefaults.hidden).describe('units of the LSTM, per direction'),
    layers: count.default(classifierDefaults.layers),
    dropout: z.number().min(0).max(0.99).default(classifierDefaults.dropout),
    learningRate: z.number().positive().default(classifierDefaults.learningRate),
    batchSize: count.default(classifierDefaults.batchSize),
    epochs: count.default(classifierDefaults.epochs).describe('most passes over the training set'),
    leastUpdates: z
      .int()
      .nonnegative()
      .default(classifierDefaults.leastUpdates)
      .describe('small sets get more passes, until so many updates'),
    patience: count.default(classifierDefaults.patience).describe('epochs without getting better'),
    groupSize: count.default(classifierDefaults.groupSize).describe('classifiers trained side by side'),
  })
  .prefault({});

/** The least there must be of both sides of a label. */
export const leastPositives = count
  .default(10)
  .describe('a label with fewer positives or negatives in a set is left out, with a sentence');
