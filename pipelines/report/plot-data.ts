import type { Bucket, Vocabulary } from '../../schemas/vocabulary.ts';
import type { LengthBin } from '../metrics/statistics/length-bins.ts';
import { rankSample } from '../metrics/statistics/rank-sample.ts';
import { leftOutOf, type MergedCard, metricsIn } from '../verdicts/merged-cards.ts';

/** A code, or a pair of codes, with the share of real and of synthetic patients that have it. */
export interface Frequency {
  name: string;
  /** Modality of a single code. */
  modality?: string;
  real: number;
  synthetic: number;
}

/** A scatter plot per generator. */
export interface FrequencyPlot {
  metric: string;
  title: string;
  about: string;
  keys: 'codes' | 'pairs' | 'sequences';
  panels: {
    generator: string;
    /** From frequent among real patients to rare. */
    points: Frequency[];
    /** Keys in either cohort, before any is left out. */
    keys: number;
    /** Keys of the series that too few real patients have. */
    leftOut: number;
  }[];
}

/** A bar chart of lengths per generator. */
export interface LengthPlot {
  metric: string;
  title: string;
  about: string;
  panels: { generator: string; bins: LengthBin[] }[];
}

/** Pairs of codes that synthetic visits of a generator break most often. */
export interface BrokenPairs {
  generator: string;
  /**
   * Together in `visits` synthetic visits and in no real one, where independence expects so many real ones.
   */
  never: { names: [string, string]; visits: number; expected: number }[];
  /** The first without the second in `visits` synthetic visits; so many real ones have the first. */
  always: { names: [string, string]; visits: number; real: number }[];
  /** Pairs that are not shown because too few real patients are behind them. */
  leftOut: number;
}

const joined = { codes: '', pairs: ' + ', sequences: ' → ' };
// Names of dots are most of the page's weight.
const shownAtMost = { codes: 1000, pairs: 600, sequences: 600 };
const titleLength = { codes: 60, pairs: 32, sequences: 32 };
const kinds = ['codes', 'pairs', 'sequences'] as const;

const numbers = (series: Record<string, number[] | string[]>, column: string): number[] =>
  (series[column] ?? []).map(Number);

const shorter = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text;

const rangeText = ({ low, high, unit }: Bucket): string =>
  ` ${low}–${high}${unit === undefined ? '' : ` ${unit}`}`;

/**
 * `dx 4280 Congestive heart failure`, `lab 50912 Creatinine 0.9–1.2 mg/dL`: what people see where a token is
 * meant.
 */
export const codeName = ({ codes }: Vocabulary, token: number, most = 60): string => {
  const code = codes[token];
  if (!code) return `token ${token}`;
  const title = code.title && code.title !== code.code ? ` ${shorter(code.title, most)}` : '';
  const name = code.code === code.modality ? '' : ` ${shorter(code.code, most)}`;
  return `${code.modality}${name}${title}${code.bucket ? rangeText(code.bucket) : ''}`;
};

const frequencyPanel = (
  { card, series }: MergedCard,
  metric: string,
  kind: FrequencyPlot['keys'],
  vocabulary: Vocabulary,
  enough: number,
): FrequencyPlot['panels'][number] => {
  const columns = series[metric]?.[kind] ?? {};
  const [first, second, real, synthetic, patients] = ['first', 'second', 'real', 'synthetic', 'patients'].map(
    (column) => numbers(columns, column),
  ) as [number[], number[], number[], number[], number[]];
  const kept = [...patients.keys()].filter((i) => (patients[i] as number) >= enough);
  const points = rankSample(kept.length, shownAtMost[kind]).map((rank): Frequency => {
    const i = kept[rank] as number;
    const tokens = [first[i], second[i]].filter((token) => token !== undefined);
    const modality = vocabulary.codes[first[i] as number]?.modality;
    return {
      name: tokens.map((token) => codeName(vocabulary, token, titleLength[kind])).join(joined[kind]),
      ...(kind === 'codes' && modality ? { modality } : {}),
      real: real[i] as number,
      synthetic: synthetic[i] as number,
    };
  });
  const keys =
    card.rows.find((row) => row.metric === metric && row.row === 'record-r2')?.n ?? patients.length;
  const leftOut = patients.length - kept.length + leftOutOf(series[metric], kind);
  return { generator: card.generator, points, keys, leftOut };
};

/** A plot for every metric that has frequencies, without keys that fewer than `enough` real patients have. */
export const frequencyPlots = (
  entries: readonly MergedCard[],
  vocabulary: Vocabulary,
  enough: number,
): FrequencyPlot[] =>
  kinds.flatMap((kind) =>
    metricsIn(entries.map(({ card }) => card))
      .filter(({ metric }) => entries.some(({ series }) => series[metric]?.[kind]))
      .map(({ metric, title, about }) => ({
        metric,
        title,
        about,
        keys: kind,
        panels: entries.map((entry) => frequencyPanel(entry, metric, kind, vocabulary, enough)),
      })),
  );

const mostPairs = 10;

/**
 * Pairs of every generator that breaks some, without those that fewer than `enough` real patients are behind.
 */
export const brokenPairs = (
  entries: readonly MergedCard[],
  vocabulary: Vocabulary,
  enough: number,
): BrokenPairs[] =>
  entries.flatMap(({ card: { generator }, series }) => {
    const plots = series['incoherence'] ?? {};
    const listed = <Pair>(
      plot: string,
      pairOf: (columns: Record<string, number[] | string[]>, i: number) => Pair,
    ) => {
      const columns = plots[plot] ?? {};
      const patients = numbers(columns, 'patients');
      const kept = [...patients.keys()].filter((i) => (patients[i] as number) >= enough);
      return {
        left: patients.length - kept.length + leftOutOf(plots, plot),
        pairs: kept.slice(0, mostPairs).map((i) => ({
          names: ['first', 'second'].map((end) =>
            codeName(vocabulary, Number(columns[end]?.[i]), titleLength.pairs),
          ) as [string, string],
          visits: Number(columns['synthetic']?.[i]),
          ...pairOf(columns, i),
        })),
      };
    };
    const never = listed('never', (columns, i) => ({ expected: Number(columns['expected']?.[i]) }));
    const always = listed('always', (columns, i) => ({ real: Number(columns['visits']?.[i]) }));
    if (never.pairs.length + always.pairs.length === 0) return [];
    return [{ generator, never: never.pairs, always: always.pairs, leftOut: never.left + always.left }];
  });

/** A plot for every metric that has lengths. */
export const lengthPlots = (entries: readonly MergedCard[]): LengthPlot[] =>
  metricsIn(entries.map(({ card }) => card))
    .filter(({ metric }) => entries.some(({ series }) => series[metric]?.['lengths']))
    .map(({ metric, title, about }) => ({
      metric,
      title,
      about,
      panels: entries.map(({ card, series }) => {
        const columns = series[metric]?.['lengths'] ?? {};
        const [real, synthetic] = [numbers(columns, 'real'), numbers(columns, 'synthetic')];
        const bins = (columns['label'] ?? []).map((label, i) => ({
          label: String(label),
          real: real[i] as number,
          synthetic: synthetic[i] as number,
        }));
        return { generator: card.generator, bins };
      }),
    }));
