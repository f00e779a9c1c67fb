/**
 * The perturbations of contexts that PromptEHR learns from (section 3.3): (1) token mask, infill and
 * deletion, (2) the codes of a span shuffled, the spans of a visit permuted. Brackets stay. Everything is
 * decided by the given stream.
 */
import type { UniformStream } from '../../../kernel/random.ts';
import { beginOf, endOf, marks, type Spans, type StreamLayout } from './streams.ts';

export const tokenCorruptions = ['mask', 'infill', 'delete'] as const;
export type TokenCorruption = (typeof tokenCorruptions)[number];

/** Which perturbations, and how many codes they hit. */
export interface Corruption {
  /** One of these is chosen for every span; none: spans keep their codes. */
  tokens: readonly TokenCorruption[];
  /** Share of a span's codes that it hits. */
  rate: number;
  /** Codes of a span come in any order. */
  shuffle: boolean;
  /** Spans of a visit come in any order. */
  permute: boolean;
}

/** Mean length of the runs that are infilled or deleted, as the paper has it. */
const runLength = 3;

/** A Poisson number by inversion. */
export const poisson = (mean: number, uniform: number): number => {
  let count = 0;
  for (let left = uniform, term = Math.exp(-mean); left >= term && count < 1000; ) {
    left -= term;
    count++;
    term *= mean / count;
  }
  return count;
};

/** Each token becomes `<mask>` on its own. */
export const maskTokens = (tokens: readonly number[], rate: number, stream: UniformStream): number[] =>
  tokens.map((token) => (stream.next() < rate ? marks.mask : token));

/**
 * Runs of length ~ Poisson(3) are replaced: `replacement` stands for a run. Such a run begins before a token
 * with the probability that makes `rate` of all tokens fall in one; a run of length zero replaces nothing by
 * something.
 */
const replaceRuns = (
  tokens: readonly number[],
  rate: number,
  stream: UniformStream,
  replacement: readonly number[],
): number[] => {
  // A run of mean 3 to 3 (1 - rate) / rate tokens outside runs; those right after an empty run count among
  // these.
  const outside = (runLength * (1 - rate)) / rate - Math.exp(-runLength);
  const probability = 1 / (1 + Math.max(0, outside));
  const kept: number[] = [];
  for (let at = 0; at < tokens.length; ) {
    if (stream.next() < probability) {
      const length = Math.min(poisson(runLength, stream.next()), tokens.length - at);
      kept.push(...replacement);
      at += length;
      if (length > 0) continue;
    }
    kept.push(tokens[at++] as number);
  }
  return kept;
};

/**
 * Runs become one `<mask>` each, whatever their length; one of length zero is a mask where nothing is
 * missing.
 */
export const infillTokens = (tokens: readonly number[], rate: number, stream: UniformStream): number[] =>
  rate > 0 ? replaceRuns(tokens, rate, stream, [marks.mask]) : [...tokens];

/** Runs are left out without a trace. */
export const deleteTokens = (tokens: readonly number[], rate: number, stream: UniformStream): number[] =>
  rate > 0 ? replaceRuns(tokens, rate, stream, []) : [...tokens];

const appliers = { mask: maskTokens, infill: infillTokens, delete: deleteTokens };

/** As visitStream, with the visit's spans corrupted. Those left out stay left out. */
export const corruptedVisit = (
  { codeBase }: StreamLayout,
  spans: Spans,
  { tokens, rate, shuffle, permute }: Corruption,
  stream: UniformStream,
): number[] => {
  const there = spans.flatMap((codes, kind) => (codes ? [{ kind, codes }] : []));
  const ordered = permute ? stream.shuffled(there) : there;
  const inside = ordered.flatMap(({ kind, codes }) => {
    const own = Array.from(codes, (code) => codeBase + code);
    const shuffled = shuffle ? stream.shuffled(own) : own;
    const applier = tokens[stream.below(tokens.length)];
    const corrupted = applier ? appliers[applier](shuffled, rate, stream) : shuffled;
    return [beginOf(kind), ...corrupted, endOf(kind)];
  });
  return [marks.visit, ...inside, marks.visitEnd];
};
