/** Edits (insert, drop, replace, swap of neighbors) between two words. Source: Damerau 1964, restricted form. */
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

/** The known word a person most likely meant, or undefined when none is near. */
export const nearest = (word: string, known: Iterable<string>): string | undefined => {
  let best: { name: string; edits: number } | undefined;
  for (const name of known) {
    const begins = word.length > 2 && name.startsWith(word);
    const edits = begins ? 1 : distance(word.toLowerCase(), name.toLowerCase());
    if (edits <= Math.max(1, Math.floor(name.length / 3)) && edits < (best?.edits ?? Infinity))
      best = { name, edits };
  }
  return best?.name;
};

/** `; did you mean x?`, or nothing when no known word is near. */
export const didYouMean = (word: string, known: Iterable<string>): string => {
  const name = nearest(word, known);
  return name === undefined ? '' : `; did you mean ${name}?`;
};
