import type { OccurrenceCounts } from '../statistics/occurrence-counts.ts';
import type { KeyGroup, KeyLayout, PatientEntries } from '../statistics/patient-entries.ts';
import type { Statistic, View } from './agreement-rows.ts';

/** How much each patient of either side moves a statistic, to first order in how often the patient counts. */
export interface Influence {
  real: Float64Array;
  synthetic: Float64Array;
}

/** Derivatives of a statistic by the counts of a key, and by what each side's counts are divided by. */
interface Gradient {
  ofReal(real: number, synthetic: number): number;
  ofSynthetic(real: number, synthetic: number): number;
}

type Keys = readonly [real: Uint32Array, synthetic: Uint32Array, members: Int32Array | undefined];

const eachKey = ([real, synthetic, members]: Keys, meet: (a: number, b: number, key: number) => void) => {
  const count = members?.length ?? real.length;
  for (let i = 0; i < count; i++) {
    const key = members ? (members[i] as number) : i;
    meet(real[key] as number, synthetic[key] as number, key);
  }
};

/** Number of keys, sums, and sums of squares and products of a = real · p and b = synthetic · q. */
const momentsOf = (keys: Keys, p: number, q: number) => {
  let [n, a, b, aa, bb, ab] = [0, 0, 0, 0, 0, 0];
  eachKey(keys, (x, y) => {
    const [u, v] = [x * p, y * q];
    n++;
    a += u;
    b += v;
    aa += u * u;
    bb += v * v;
    ab += u * v;
  });
  const [meanA, meanB] = [a / n, b / n];
  return { meanA, meanB, inA: aa - a * meanA, inB: bb - b * meanB, both: ab - a * meanB, aa, bb, ab };
};

/** Of R² = 1 − Σ(a − b)² / Σ(a − ā)², with a and b counts over what they are divided by. */
const r2Gradient = (keys: Keys, { real, synthetic }: View): Gradient => {
  const [p, q] = [1 / real.total, 1 / synthetic.total];
  const { meanA, inA, aa, bb, ab } = momentsOf(keys, p, q);
  const lost = (aa - 2 * ab + bb) / inA;
  return {
    ofReal: (x, y) => (2 * p * (lost * (x * p - meanA) - (x * p - y * q))) / inA,
    ofSynthetic: (x, y) => (2 * q * (x * p - y * q)) / inA,
  };
};

const pearsonGradient = (keys: Keys): Gradient => {
  const { meanA, meanB, inA, inB, both } = momentsOf(keys, 1, 1);
  const scale = Math.sqrt(inA * inB);
  return {
    ofReal: (x, y) => (y - meanB) / scale - (both / scale / inA) * (x - meanA),
    ofSynthetic: (x, y) => (x - meanA) / scale - (both / scale / inB) * (y - meanB),
  };
};

/**
 * The influence of each patient on R² or the Pearson correlation of a view (the infinitesimal jackknife:
 * Jaeckel 1972; Efron 1982, chapter 6): their own keys' derivatives, less their part of the divisor. It adds
 * up to 0 on either side. Undefined for ranks, which have no derivative. `members` are the keys of part
 * number `part`, by default all.
 */
export const influenceOf = (
  statistic: Statistic,
  view: View,
  {
    counts,
    layout,
    part,
    members,
  }: { counts: OccurrenceCounts; layout: KeyLayout; part: number; members?: Int32Array },
  entries: Record<'real' | 'synthetic', PatientEntries>,
): Influence | undefined => {
  if (statistic === 'spearman') return undefined;
  const keys: Keys = [counts.real[view.counts], counts.synthetic[view.counts], members];
  const gradient = statistic === 'r2' ? r2Gradient(keys, view) : pearsonGradient(keys);
  const isIn = ({ parts }: KeyGroup) => ((parts >>> part) & 1) === 1;
  const of = (side: 'real' | 'synthetic'): Float64Array => {
    const slope = side === 'real' ? gradient.ofReal : gradient.ofSynthetic;
    const bySlot = new Float64Array(layout.size);
    let whole = 0;
    eachKey(keys, (x, y, key) => {
      const value = slope(x, y);
      const slot = layout.slots[key] as number;
      if (slot >= 0) bySlot[slot] = value;
      whole += value * (side === 'real' ? x : y);
    });
    const { units, total } = view[side];
    const found = Float64Array.from(units, (unit) => (-whole * unit) / total);
    const alone = side === 'real' ? slope(1, 0) : slope(0, 1);
    for (const group of layout.groups.filter(isIn)) {
      const own = entries[side][group.once ? 'patients' : view.counts];
      for (let slot = group.from; slot < group.to; slot++)
        for (let i = own.offsets[slot] as number; i < (own.offsets[slot + 1] as number); i++) {
          const patient = own.patients[i] as number;
          found[patient] = (found[patient] as number) + (bySlot[slot] as number);
        }
      for (let patient = 0; patient < found.length; patient++)
        found[patient] = (found[patient] as number) + (group[side][patient] as number) * alone;
    }
    return found;
  };
  return { real: of('real'), synthetic: of('synthetic') };
};

/**
 * Variance of a statistic over new patients on both sides. Somewhat too large where the cohorts differ by
 * chance alone (Efron and Stein, Annals of Statistics 9, 1981), never too small by much.
 */
export const influenceVariance = ({ real, synthetic }: Influence): number => {
  const of = (side: Float64Array) =>
    (side.length / Math.max(1, side.length - 1)) * side.reduce((sum, moved) => sum + moved * moved, 0);
  return of(real) + of(synthetic);
};
