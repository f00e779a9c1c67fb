/**
 * The probability of a span to have each code, whatever else it has. A span is written code by code, so the
 * sum over all spans is estimated: some spans are sampled, and at every step of each the probability of the
 * code that would come next is added up. A code stands in a span once at most, so the mean of these sums is
 * an unbiased estimate of the code's probability; codes that no sampled span has get one too. Samples that
 * agree so far share one row of the decoder, and the samples of a row are spread evenly over what comes next
 * (systematic sampling), so that few of them are enough.
 */

import type { EncodedContexts } from '../network/encode-contexts.ts';
import { allowedOutputs, mustClose, type SpanRules } from '../records/span-grammar.ts';
import type { StreamLayout } from '../records/streams.ts';
import { logSoftmax } from './decoding.ts';
import { lastToken, type SpanNetwork, startSpans } from './write-spans.ts';

/** One span whose codes are estimated. */
export interface SpanQuery {
  /** Index of the context it reads. */
  context: number;
  /** Index into the layout's kinds. */
  kind: number;
  rules: SpanRules;
  /** Uniforms in [0, 1), the next at each call; independent of the other queries. */
  uniform(): number;
  /** Outputs of the true span, where the probability of each after those before it is wanted too. */
  truth?: readonly number[];
}

export interface SpanEstimate {
  /** `[outputs]` probability that the span has the code; of the end, 0. */
  probabilities: Float64Array;
  /**
   * −ln probability of each output of the truth among the codes that can come, the end not counted, given the
   * outputs before it: as the reference's head, which has no end, has it; in canonical order, codes below the
   * last cannot come. NaN beyond the longest span.
   */
  forced: Float64Array;
}

/** Samples that are the same so far, or the truth as far as it was read. */
interface Prefix {
  query: number;
  written: number[];
  samples: number;
}

/**
 * −ln probability of an output among the codes that can come: all of the head, or those above the last one.
 */
const lossAmongCodes = (
  logits: Float32Array,
  output: number,
  { order }: SpanRules,
  written: readonly number[],
): number => {
  const codes = new Uint8Array(logits.length).fill(
    1,
    1 + (order === 'canonical' ? (written.at(-1) ?? 0) : 0),
  );
  return -(logSoftmax(logits, codes)[output] as number);
};

/** How many of `samples` take each output: those that systematic sampling with one uniform gives. */
export const spread = (
  probabilities: Float64Array,
  samples: number,
  uniform: number,
): Map<number, number> => {
  const taken = new Map<number, number>();
  let next = uniform;
  let cumulative = 0;
  let last = -1;
  for (let output = 0; output < probabilities.length; output++) {
    const probability = probabilities[output] as number;
    if (probability === 0) continue;
    last = output;
    cumulative += probability * samples;
    let count = 0;
    for (; next < cumulative; next++) count++;
    if (count > 0) taken.set(output, count);
  }
  // Rounding may leave the last sample beyond the sum.
  const given = [...taken.values()].reduce((a, b) => a + b, 0);
  if (given < samples) taken.set(last, (taken.get(last) ?? 0) + samples - given);
  return taken;
};

/** The spans of one batch, estimated in step. */
class Estimation {
  readonly estimates: SpanEstimate[];
  readonly #queries: readonly SpanQuery[];
  readonly #layout: StreamLayout;
  readonly #samples: number;
  #prefixes: Prefix[];

  constructor(queries: readonly SpanQuery[], layout: StreamLayout, samples: number) {
    this.#queries = queries;
    this.#layout = layout;
    this.#samples = samples;
    this.estimates = queries.map(({ rules, truth }) => ({
      probabilities: new Float64Array(rules.outputs),
      forced: new Float64Array(truth?.length ?? 0).fill(Number.NaN),
    }));
    this.#prefixes = queries.map((_, query) => ({ query, written: [], samples }));
  }

  get live(): number {
    return this.#prefixes.length;
  }

  /** What the decoder reads next. */
  inputs(): Int32Array {
    return Int32Array.from(this.#prefixes, ({ query, written }) =>
      lastToken(this.#layout, (this.#queries[query] as SpanQuery).kind, written),
    );
  }

  /** Takes the logits of all rows; gives which rows go on, some of them several times. */
  take(logits: readonly Float32Array[]): Int32Array {
    const next: Prefix[] = [];
    const from: number[] = [];
    this.#prefixes.forEach((prefix, index) => {
      const own = logits[index] as Float32Array;
      // The first row of a query is that of its samples and of the truth.
      const isTruth = prefix.samples === 0 || prefix.written.length === 0;
      const followers = [
        ...(isTruth ? this.#scoreTruth(prefix, own) : []),
        ...(prefix.samples > 0 ? this.#sample(prefix, own) : []),
      ];
      for (const follower of followers) {
        next.push(follower);
        from.push(index);
      }
    });
    this.#prefixes = next;
    return Int32Array.from(from);
  }

  /** The loss of the truth's next output; goes on while there are more. */
  #scoreTruth({ query, written }: Prefix, logits: Float32Array): Prefix[] {
    const { rules, truth = [] } = this.#queries[query] as SpanQuery;
    const at = written.length;
    const output = truth[at];
    if (output === undefined) return [];
    (this.estimates[query] as SpanEstimate).forced[at] = lossAmongCodes(logits, output, rules, written);
    return at + 1 < Math.min(truth.length, rules.most)
      ? [{ query, written: [...written, output], samples: 0 }]
      : [];
  }

  #sample({ query, written, samples }: Prefix, logits: Float32Array): Prefix[] {
    const { rules, uniform } = this.#queries[query] as SpanQuery;
    if (mustClose(rules, written)) return [];
    const next = logSoftmax(logits, allowedOutputs(rules, written)).map(Math.exp);
    const { probabilities } = this.estimates[query] as SpanEstimate;
    for (let output = 1; output < rules.outputs; output++)
      probabilities[output] =
        (probabilities[output] as number) + ((next[output] as number) * samples) / this.#samples;
    return [...spread(next, samples, uniform())].flatMap(([output, count]) => {
      const longer = [...written, output];
      return output > 0 && !mustClose(rules, longer) ? [{ query, written: longer, samples: count }] : [];
    });
  }
}

/**
 * Estimates spans of encoded contexts, with so many samples for each. The estimates are in the order of the
 * queries; one may exceed 1 by the error of sampling.
 */
export const codeProbabilities = async (
  network: SpanNetwork,
  encoded: EncodedContexts,
  layout: StreamLayout,
  queries: readonly SpanQuery[],
  samples: number,
): Promise<SpanEstimate[]> => {
  const estimation = new Estimation(queries, layout, samples);
  if (estimation.live === 0) return [];
  const decoder = startSpans(network, encoded, queries);
  try {
    while (estimation.live > 0) {
      const rows = estimation.take(await decoder.step(estimation.inputs()));
      if (rows.length > 0) decoder.select(rows);
    }
    return estimation.estimates;
  } finally {
    decoder.dispose();
  }
};
