import { type FailureCode, StageError } from '../../schemas/errors.ts';

/** Edits (insert, drop, replace, swap of neighbors) between two words. Damerau 1964, restricted form. */
const distance = (a: string, b: string): number => {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const edits = [(last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1)];
      if (swapped) edits.push((before[j - 2] ?? 0) + 1);
      row.push(Math.min(...edits));
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
};

/** The known word that was most likely meant, or undefined when none is near. */
export const nearest = (word: string, known: Iterable<string>): string | undefined => {
  let best: { name: string; edits: number } | undefined;
  for (const name of known) {
    const begins = word.length > 2 && name.startsWith(word);
    const edits = begins ? 1 : distance(word.toLowerCase(), name.toLowerCase());
    const most = Math.min(name.length - 1, Math.max(1, Math.floor(name.length / 3)));
    if (edits <= most && edits < (best?.edits ?? Infinity)) best = { name, edits };
  }
  return best?.name;
};

/** `; did you mean x?`, or nothing when no known word is near. */
export const didYouMean = (word: string, known: Iterable<string>): string => {
  const name = nearest(word, known);
  return name === undefined ? '' : `; did you mean ${name}?`;
};

/** `there is no metric "codes"; did you mean copies? (there are: copies, nnaa)`. */
export const noSuchName = (what: string, name: string, known: Iterable<string>): string => {
  const names = [...known];
  const list = names.length === 0 ? 'there are none' : `there are: ${names.join(', ')}`;
  return `there is no ${what} ${JSON.stringify(name)}${didYouMean(name, names)} (${list})`;
};

/**
 * The entry called `name`. Throws an error of that code with the nearest name and all that exist; `where` is
 * the key in a config that has the name, and leads the message.
 */
export const named = <T>(
  what: string,
  entries: ReadonlyMap<string, T>,
  name: string,
  { code = 'InvalidUsage', where }: { code?: FailureCode; where?: string } = {},
): T => {
  const entry = entries.get(name);
  if (entry !== undefined) return entry;
  const message = noSuchName(what, name, entries.keys());
  throw new StageError(code, where === undefined ? message : `${where}: ${message}`);
};
