/** Lengths taken together (`3`, `4–6`, `7+`), with the share of each side that falls there. */
export interface LengthBin {
  label: string;
  real: number;
  synthetic: number;
}

interface Lengths {
  real: readonly number[];
  synthetic: readonly number[];
  /** Distinct real patients behind each length. */
  patients: readonly number[];
}

const most = 24;

const total = (values: readonly number[], from: number, end: number): number =>
  values.slice(from, end).reduce((sum, value) => sum + value, 0);

/**
 * Cuts of equal width, the ends pooled until they hold enough patients; null if a bin in between does not.
 */
const cutsOfWidth = (patients: readonly number[], width: number, enough: number): number[] | null => {
  const first = Math.max(
    0,
    patients.findIndex((count) => count > 0),
  );
  const cuts: number[] = [];
  for (let start = first; start < patients.length; start += width) cuts.push(start);
  cuts.push(patients.length);
  const held = (i: number) => total(patients, cuts[i] as number, cuts[i + 1] as number);
  while (cuts.length > 2 && held(cuts.length - 2) < enough) cuts.splice(cuts.length - 2, 1);
  while (cuts.length > 2 && held(0) < enough) cuts.splice(1, 1);
  // No patient at all is no small group.
  const fine = cuts.slice(0, -1).every((_, i) => held(i) === 0 || held(i) >= enough) || cuts.length === 2;
  return fine && cuts.length - 1 <= most ? cuts : null;
};

/**
 * The narrowest equal bins, at most 24, of which each holds no real patient or `enough` (a patient counts
 * once per length). Short and long ends are pooled, so that no rare patient stands out. What is shorter than
 * any real length comes first, in a bin of its own.
 */
export const lengthBins = ({ real, synthetic, patients }: Lengths, enough: number): LengthBin[] => {
  if (patients.length === 0) return [];
  let cuts: number[] | null = null;
  for (let width = 1; !cuts; width++) cuts = cutsOfWidth(patients, width, Math.max(1, enough));
  const all = { real: total(real, 0, real.length), synthetic: total(synthetic, 0, synthetic.length) };
  const bins = cuts.slice(0, -1).map((cut, i): LengthBin => {
    const isLast = i === (cuts?.length ?? 0) - 2;
    const end = isLast ? real.length : (cuts?.[i + 1] as number);
    return {
      label: isLast ? `${cut}+` : end - 1 > cut ? `${cut}–${end - 1}` : `${cut}`,
      real: total(real, cut, end) / (all.real || 1),
      synthetic: total(synthetic, cut, end) / (all.synthetic || 1),
    };
  });
  const first = cuts[0] as number;
  const shorter = total(synthetic, 0, first) / (all.synthetic || 1);
  if (shorter === 0) return bins;
  return [{ label: first === 1 ? '0' : `<${first}`, real: 0, synthetic: shorter }, ...bins];
};
