import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import type { NamedArray } from '../kernel/checkpointable.ts';

/** Names in a message are the checkpoint's own: a few are enough to see what it is. */
const few = (names: readonly string[]): string =>
  names.length <= 4 ? names.join(', ') : `${names.slice(0, 4).join(', ')} and ${names.length - 4} more`;

/** An option of imports: shapes of a transformer's weights are the same for any number of heads. */
export const attentionHeads = z
  .int()
  .positive()
  .optional()
  .describe('attention heads, which the shapes of weights do not show');

/** Tensors by name without what wrappers put in front of every name (`module.` of DataParallel). */
export const withoutPrefix = (
  tensors: Record<string, NamedArray>,
  prefixes: readonly string[],
): Record<string, NamedArray> => {
  const names = Object.keys(tensors);
  const prefix = prefixes.find((candidate) => names.every((name) => name.startsWith(candidate)));
  if (prefix === undefined || names.length === 0) return tensors;
  return withoutPrefix(
    Object.fromEntries(names.map((name) => [name.slice(prefix.length), tensors[name] as NamedArray])),
    prefixes,
  );
};

/** A matrix of the checkpoint. Throws SourceMalformed where it is not there, naming what is. */
export const matrixNamed = (
  tensors: Record<string, NamedArray>,
  name: string,
  model: string,
): [rows: number, columns: number] => {
  const shape = tensors[name]?.shape;
  if (shape?.length === 2) return shape as [number, number];
  throw new StageError(
    'SourceMalformed',
    `these are no weights of ${model}: expected a matrix ${name}, found ${few(Object.keys(tensors)) || 'nothing'}`,
  );
};

/**
 * The tensors of these shapes as 32-bit floats, others left out. Throws SourceMalformed where one is missing, has
 * another shape or holds something that is no number, with names and numbers.
 */
export const tensorsOfShapes = (
  tensors: Record<string, NamedArray>,
  shapes: Record<string, number[]>,
  model: string,
): Record<string, NamedArray> => {
  const wrong = Object.entries(shapes).flatMap(([name, shape]) => {
    const found = tensors[name];
    if (!found) return [`${name} is missing`];
    return found.shape.join() === shape.join()
      ? []
      : [`${name} is [${found.shape.join(', ')}], expected [${shape.join(', ')}]`];
  });
  if (wrong.length > 0)
    throw new StageError('SourceMalformed', `these weights do not fit ${model}: ${few(wrong)}`);
  return Object.fromEntries(
    Object.keys(shapes).map((name) => {
      const { shape, data } = tensors[name] as NamedArray;
      const values = data instanceof Float32Array ? data : Float32Array.from(data, Number);
      if (!values.every(Number.isFinite))
        throw new StageError(
          'SourceMalformed',
          `${name} holds a value that is not finite: the training diverged`,
        );
      return [name, { shape, data: values }];
    }),
  );
};
