/**
 * How likely a span is to have each code, whatever else it has. A span is said code by code, so the sum over all spans
 * is estimated: some spans are drawn, and at every step of each the probability of the code that would come next is
 * added up. A code is said once in a span at most, so the mean of these sums is the code's chance without bias; codes
 * that no drawn span has get theirs too. Draws that agree so far share one row, and the draws of a row are spread
 * evenly over what comes next (systematic sampling), so that few of them tell much.
 */

import type { EncodedContexts } from '../network/encode-contexts.ts';
import { allowedOutputs, mustClose, type SpanRules } from '../records/span-grammar.ts';
import type { StreamLayout } from '../records/streams.ts';
import { logSoftmax } from './decoding.ts';
import { lastToken, type SpanNetwork } from './write-spans.ts';

/** One span that is asked about. */
export interface SpanQuestion {
  /** Index of the context it reads. */
  context: number;
  /** Index into the layout's kinds. */
  kind: number;
  rules: SpanRules;
  /** Uniforms in [0, 1), the next at each call; the same whoever else is asked. */
  uniform(): number;
  /** Outputs of the true span, where it is to be told as well how likely each is after those before it. */
  truth?: readonly number[];
}

export interface SpanAnswer {
  /** `[outputs]` that the span has the code; of the end, 0. */
  chances: Float64Array;
  /**
   * −ln probability of each output of the truth among the codes that can come, the end not counted, given the outputs
   * before it: as the reference's head, which has no end, tells it; in canonical order, codes below the last cannot
   * come. NaN beyond the longest span.
   */
  forced: Float64Array;
}

/** Draws that have said the same so far, or the truth as far as it was told. */
interface Row {
  question: number;
  said: number[];
  draws: number;
}

/** −ln probability of an output among the codes that can come: all of the head, or those above the last said. */
const lossAmongCodes = (
  logits: Float32Array,
  output: number,
  { order }: SpanRules,
  said: readonly number[],
): number => {
  const codes = new Uint8Array(logits.length).fill(1, 1 + (order === 'canonical' ? (said.at(-1) ?? 0) : 0));
  return -(logSoftmax(logits, codes)[output] as number);
};

/** How many of `draws` take each output: those that systematic sampling with one uniform gives. */
export const spread = (probabilities: Float64Array, draws: number, uniform: number): Map<number, number> => {
  const taken = new Map<number, number>();
  let next = uniform;
  let cumulative = 0;
  let last = -1;
  for (let output = 0; output < probabilities.length; output++) {
    const probability = probabilities[output] as number;
    if (probability === 0) continue;
    last = output;
    cumulative += probability * draws;
    let count = 0;
    for (; next < cumulative; next++) count++;
    if (count > 0) taken.set(output, count);
  }
  // Rounding may leave the last draw beyond the sum.
  const given = [...taken.values()].reduce((a, b) => a + b, 0);
  if (given < draws) taken.set(last, (taken.get(last) ?? 0) + draws - given);
  return taken;
};

/** The spans of one batch, asked in step. */
class Asking {
  readonly answers: SpanAnswer[];
  readonly #questions: readonly SpanQuestion[];
  readonly #layout: StreamLayout;
  readonly #draws: number;
  #rows: Row[];

  constructor(questions: readonly SpanQuestion[], layout: StreamLayout, draws: number) {
    this.#questions = questions;
    this.#layout = layout;
    this.#draws = draws;
    this.answers = questions.map(({ rules, truth }) => ({
      chances: new Float64Array(rules.outputs),
      forced: new Float64Array(truth?.length ?? 0).fill(Number.NaN),
    }));
    this.#rows = questions.map((_, question) => ({ question, said: [], draws }));
  }

  get live(): number {
    return this.#rows.length;
  }

  /** What the decoder reads next. */
  inputs(): Int32Array {
    return Int32Array.from(this.#rows, ({ question, said }) =>
      lastToken(this.#layout, (this.#questions[question] as SpanQuestion).kind, said),
    );
  }

  /** Takes the logits of all rows; gives which rows go on, some of them several times. */
  take(logits: readonly Float32Array[]): Int32Array {
    const next: Row[] = [];
    const from: number[] = [];
    this.#rows.forEach((row, index) => {
      const own = logits[index] as Float32Array;
      // The first row of a question is its draws' and the truth's.
      const isTruth = row.draws === 0 || row.said.length === 0;
      const followers = [
        ...(isTruth ? this.#tell(row, own) : []),
        ...(row.draws > 0 ? this.#draw(row, own) : []),
      ];
      for (const follower of followers) {
        next.push(follower);
        from.push(index);
      }
    });
    this.#rows = next;
    return Int32Array.from(from);
  }

  /** The next output of the truth is told; goes on while there are more. */
  #tell({ question, said }: Row, logits: Float32Array): Row[] {
    const { rules, truth = [] } = this.#questions[question] as SpanQuestion;
    const at = said.length;
    const output = truth[at];
    if (output === undefined) return [];
    (this.answers[question] as SpanAnswer).forced[at] = lossAmongCodes(logits, output, rules, said);
    return at + 1 < Math.min(truth.length, rules.most)
      ? [{ question, said: [...said, output], draws: 0 }]
      : [];
  }

  #draw({ question, said, draws }: Row, logits: Float32Array): Row[] {
    const { rules, uniform } = this.#questions[question] as SpanQuestion;
    if (mustClose(rules, said)) return [];
    const probabilities = logSoftmax(logits, allowedOutputs(rules, said)).map(Math.exp);
    const { chances } = this.answers[question] as SpanAnswer;
    for (let output = 1; output < rules.outputs; output++)
      chances[output] =
        (chances[output] as number) + ((probabilities[output] as number) * draws) / this.#draws;
    return [...spread(probabilities, draws, uniform())].flatMap(([output, count]) => {
      const longer = [...said, output];
      return output > 0 && !mustClose(rules, longer) ? [{ question, said: longer, draws: count }] : [];
    });
  }
}

/**
 * Asks a network about spans of encoded contexts, with so many draws for each. The answers are in the order of the
 * questions; a chance may exceed 1 by what the draws err.
 */
export const codeChances = async (
  network: SpanNetwork,
  encoded: EncodedContexts,
  layout: StreamLayout,
  questions: readonly SpanQuestion[],
  draws: number,
): Promise<SpanAnswer[]> => {
  const asking = new Asking(questions, layout, draws);
  if (asking.live === 0) return [];
  const decoder = network.decode(
    encoded,
    Int32Array.from(questions, ({ context }) => context),
    Int32Array.from(questions, ({ kind }) => kind),
  );
  try {
    while (asking.live > 0) {
      const rows = asking.take(await decoder.step(asking.inputs()));
      if (rows.length > 0) decoder.select(rows);
    }
    return asking.answers;
  } finally {
    decoder.dispose();
  }
};
