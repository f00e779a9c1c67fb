import type { LengthBin } from '../metrics/statistics/length-bins.ts';
import { leftOutOf, type MergedCard } from '../verdicts/merged-cards.ts';

/** A lab test: share of visits in which it was done, or the mean of its values, on both sides. */
export interface TestPoint {
  name: string;
  real: number;
  synthetic: number;
}

/** Lab tests of one generator, without those that too few real patients have. */
export interface LabPanel {
  generator: string;
  presence: TestPoint[];
  means: TestPoint[];
  leftOut: number;
}

/** Days between visits of one generator. */
export interface GapPanel {
  generator: string;
  bars: LengthBin[];
  /** Mean days by number of visits: `2`, `3–4`, `5+`. */
  byLength: { length: string; real: number; synthetic: number }[];
}

type Series = Record<string, number[] | string[]>;

const column = (series: Series | undefined, name: string): number[] => (series?.[name] ?? []).map(Number);
const texts = (series: Series | undefined, name: string): string[] => (series?.[name] ?? []).map(String);

/** Rows of a series that enough real patients stand behind. */
const pairs = (series: Series | undefined, names: string, enough: number) => {
  const [real, synthetic, patients] = ['real', 'synthetic', 'patients'].map((name) =>
    column(series, name),
  ) as [number[], number[], number[]];
  return texts(series, names).flatMap((name, i) =>
    (patients[i] as number) >= enough
      ? [{ name, real: real[i] as number, synthetic: synthetic[i] as number }]
      : [],
  );
};

/** A panel per generator where any has lab values, else none. */
export const labPanels = (entries: readonly MergedCard[], enough: number): LabPanel[] => {
  if (!entries.some(({ series }) => series['lab-values']?.['means'])) return [];
  return entries.map(({ card, series }) => {
    const { presence, means } = series['lab-values'] ?? {};
    const shown = pairs(presence, 'test', enough);
    return {
      generator: card.generator,
      presence: shown,
      means: pairs(means, 'test', enough),
      leftOut: texts(presence, 'test').length - shown.length + leftOutOf(series['lab-values'], 'presence'),
    };
  });
};

interface Bar {
  from: number;
  real: number;
  synthetic: number;
  patients: number;
}

const together = (a: Bar, b: Bar): Bar => ({
  from: a.from,
  real: a.real + b.real,
  synthetic: a.synthetic + b.synthetic,
  patients: a.patients + b.patients,
});

/**
 * Neighboring bars taken together until enough real patients, each counted once a bar, stand behind every
 * one.
 */
const pooled = (bars: readonly Bar[], enough: number): Bar[] => {
  const pools: Bar[] = [];
  for (const bar of bars) {
    const last = pools.at(-1);
    if (last && last.patients < enough) pools.splice(-1, 1, together(last, bar));
    else pools.push(bar);
  }
  const [before, last] = pools.slice(-2);
  if (before && last && last.patients < enough) pools.splice(-2, 2, together(before, last));
  return pools;
};

const gapBars = (series: Series | undefined, enough: number): LengthBin[] => {
  const at = (name: string, i: number) => column(series, name)[i] as number;
  const bars = column(series, 'from').map((from, i) => ({
    from,
    real: at('real', i),
    synthetic: at('synthetic', i),
    patients: at('patients', i),
  }));
  const [real, synthetic] = (['real', 'synthetic'] as const).map(
    (side) => bars.reduce((sum, bar) => sum + bar[side], 0) || 1,
  ) as [number, number];
  return pooled(bars, enough).map((bar, i, all) => {
    const next = all[i + 1];
    return {
      label: next ? `${bar.from}–${next.from}` : `${bar.from}+`,
      real: bar.real / real,
      synthetic: bar.synthetic / synthetic,
    };
  });
};

/** The same for days between visits. */
export const gapPanels = (entries: readonly MergedCard[], enough: number): GapPanel[] => {
  if (!entries.some(({ series }) => series['visit-gaps']?.['gaps'])) return [];
  return entries.map(({ card, series }) => ({
    generator: card.generator,
    bars: gapBars(series['visit-gaps']?.['gaps'], enough),
    byLength: pairs(series['visit-gaps']?.['gap-by-length'], 'length', enough).map(({ name, ...means }) => ({
      length: name,
      ...means,
    })),
  }));
};
