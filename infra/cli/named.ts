import { StageError } from '../../schemas/errors.ts';
import { shown } from './issue-text.ts';
import { didYouMean } from './suggest.ts';

/** The entry called `name`; throws InvalidUsage with the nearest name there is. */
export const named = <T>(what: string, entries: ReadonlyMap<string, T>, name: string): T => {
  const entry = entries.get(name);
  if (entry !== undefined) return entry;
  const names = [...entries.keys()];
  const guess = didYouMean(name, names) || ` (there are: ${names.join(', ')})`;
  throw new StageError('InvalidUsage', `there is no ${what} ${shown(name)}${guess}`);
};
