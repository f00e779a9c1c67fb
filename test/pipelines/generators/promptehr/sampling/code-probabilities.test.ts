import test from 'ava';
import type { EncodedContexts } from '../../../../../pipelines/generators/promptehr/network/encode-contexts.ts';
import type { SpanDecoder } from '../../../../../pipelines/generators/promptehr/network/span-decoder.ts';
import {
  allowedOutputs,
  mustClose,
  type SpanRules,
  spanRules,
} from '../../../../../pipelines/generators/promptehr/records/span-grammar.ts';
import { streamsOf } from '../../../../../pipelines/generators/promptehr/records/streams.ts';
import {
  codeProbabilities,
  type SpanQuery,
  spread,
} from '../../../../../pipelines/generators/promptehr/sampling/code-probabilities.ts';
import { logSoftmax } from '../../../../../pipelines/generators/promptehr/sampling/decoding.ts';
import type { SpanNetwork } from '../../../../../pipelines/generators/promptehr/sampling/write-spans.ts';
import { RandomSource, UniformStream } from '../../../../../pipelines/kernel/random.ts';
import { toyVocabulary } from '../toy.ts';

const layout = streamsOf(toyVocabulary);
const encoded: EncodedContexts = { contexts: 2, dispose: () => undefined };

/** Logits that hang on context, kind and all that was said, as a network's do. */
const logitsAfter = (context: number, tokens: readonly number[]): Float32Array => {
  const random = new RandomSource(3, 'weights');
  const kind = layout.heads.findIndex((_, index) => 6 + 2 * index === tokens[0]);
  const outputs = layout.heads[kind]?.tokens.length ?? 0;
  const uniforms = new Float64Array(outputs);
  const address = tokens.reduce((sum, token) => (sum * 31 + token) % 1e6, context + 1);
  random.fill(uniforms, 0, outputs, address);
  return Float32Array.from(uniforms, (u) => 5 * u - 2.5);
};

/** A network without weights; it counts the rows that it runs. */
class PretendedNetwork implements SpanNetwork {
  rows = 0;
  disposed = 0;

  decode(_encoded: EncodedContexts, contexts: Int32Array): SpanDecoder {
    let spans = Array.from(contexts, (context) => ({ context, tokens: [] as number[] }));
    return {
      get live() {
        return spans.length;
      },
      step: (tokens) => {
        this.rows += tokens.length;
        return Promise.resolve(
          spans.map((span, i) => {
            span.tokens.push(tokens[i] as number);
            return logitsAfter(span.context, span.tokens);
          }),
        );
      },
      select: (chosen) => {
        spans = Array.from(chosen, (i) => {
          const span = spans[i];
          if (!span) throw new RangeError(`no span ${i}`);
          return { ...span, tokens: [...span.tokens] };
        });
      },
      dispose: () => {
        this.disposed++;
      },
    };
  }
}

/** The probability of each output by going through all spans. */
const exactly = (rules: SpanRules, context: number, kind: number): Float64Array => {
  const probabilities = new Float64Array(rules.outputs);
  const walk = (said: number[], weight: number): void => {
    if (mustClose(rules, said)) return;
    const tokens = [6 + 2 * kind, ...said.map((output) => layout.heads[kind]?.tokens[output] as number)];
    const logs = logSoftmax(logitsAfter(context, tokens), allowedOutputs(rules, said));
    for (let output = 1; output < rules.outputs; output++) {
      const probability = weight * Math.exp(logs[output] as number);
      if (probability === 0) continue;
      probabilities[output] = (probabilities[output] as number) + probability;
      walk([...said, output], probability);
    }
  };
  walk([], 1);
  return probabilities;
};

const questionOf = (context: number, kind: number, rules: SpanRules, stream = 0): SpanQuery => {
  const uniforms = new UniformStream(new RandomSource(9, 'imputation'), stream, 10 * context + kind);
  return { context, kind, rules, uniform: () => uniforms.next() };
};
const rulesOf = (kind: number, order: SpanRules['order'], more: Partial<SpanRules> = {}): SpanRules =>
  spanRules({ outputs: layout.heads[kind]?.tokens.length ?? 0, order, ...more });

for (const order of ['canonical', 'shuffled'] as const)
  test(`probabilities are those of all spans together (${order})`, async (t) => {
    const asked = [0, 1].flatMap((context) => [0, 1, 2].map((kind) => ({ context, kind })));
    const rules = asked.map(({ kind }) => rulesOf(kind, order));
    const questions = asked.map(({ context, kind }, i) => questionOf(context, kind, rules[i] as SpanRules));
    const network = new PretendedNetwork();
    const answers = await codeProbabilities(network, encoded, layout, questions, 4000);
    t.is(network.disposed, 1);
    t.true(network.rows < 800, `draws that agree share a row: ${network.rows}`);
    asked.forEach(({ context, kind }, i) => {
      const expected = exactly(rules[i] as SpanRules, context, kind);
      const found = answers[i]?.probabilities ?? [];
      expected.forEach((probability, output) => {
        t.true(
          Math.abs((found[output] as number) - probability) < 0.01,
          `${order} ${context} ${kind} ${output}`,
        );
      });
    });
  });

test('few draws err little, and on no side', async (t) => {
  const rules = rulesOf(0, 'canonical');
  const expected = exactly(rules, 1, 0);
  const repeats = 400;
  const means = new Float64Array(expected.length);
  let squares = 0;
  for (let stream = 0; stream < repeats; stream++) {
    const [answer] = await codeProbabilities(
      new PretendedNetwork(),
      encoded,
      layout,
      [questionOf(1, 0, rules, stream)],
      8,
    );
    answer?.probabilities.forEach((probability, output) => {
      means[output] = (means[output] as number) + probability / repeats;
      squares += (probability - (expected[output] as number)) ** 2 / repeats / 4;
    });
  }
  t.true(Math.sqrt(squares) < 0.05, `off by ${Math.sqrt(squares)}`);
  means.forEach((mean, output) => {
    t.true(Math.abs(mean - (expected[output] as number)) < 0.008, `output ${output}`);
  });
});

test('bounds, exclusions and what may not be said hold', async (t) => {
  const ask = async (more: Partial<SpanRules>) => {
    const rules = rulesOf(0, 'canonical', more);
    const [answer] = await codeProbabilities(
      new PretendedNetwork(),
      encoded,
      layout,
      [questionOf(0, 0, rules)],
      500,
    );
    return { found: [...(answer?.probabilities ?? [])], expected: [...exactly(rules, 0, 0)] };
  };
  const one = await ask({ most: 1 });
  t.true(one.found.reduce((a, b) => a + b) <= 1 + 1e-12);
  const cases = [
    one,
    await ask({ without: new Set([2]) }),
    await ask({ groups: Int32Array.of(-1, 0, 0, 0, 0) }),
  ];
  for (const { found, expected } of cases)
    t.true(found.every((probability, i) => Math.abs(probability - (expected[i] ?? 0)) < 0.03));
  t.is(cases[1]?.found[2], 0);
  t.deepEqual((await ask({ most: 0 })).found, [0, 0, 0, 0, 0]);
});

test('the truth is told beside the draws, each output after those before it', async (t) => {
  const rules = rulesOf(0, 'canonical', { most: 3 });
  const truth = [1, 3, 4, 2];
  const plain = await codeProbabilities(
    new PretendedNetwork(),
    encoded,
    layout,
    [questionOf(0, 0, rules)],
    20,
  );
  const asked = { ...questionOf(0, 0, rules), truth };
  const [answer] = await codeProbabilities(new PretendedNetwork(), encoded, layout, [asked], 20);
  t.deepEqual(answer?.probabilities, plain[0]?.probabilities);
  truth.slice(0, 3).forEach((output, i) => {
    const codes = Uint8Array.from({ length: 5 }, (_, code) => (code > (truth[i - 1] ?? 0) ? 1 : 0));
    const tokens = [6, ...truth.slice(0, i).map((said) => layout.heads[0]?.tokens[said] as number)];
    const expected = -(logSoftmax(logitsAfter(0, tokens), codes)[output] as number);
    t.true(Math.abs((answer?.forced[i] ?? 0) - expected) < 1e-12);
  });
  t.is(answer?.forced[3], Number.NaN, 'beyond the longest span');
});

test('draws are spread as evenly as whole numbers allow', (t) => {
  const shares = Float64Array.of(0.5, 0.2, 0, 0.3);
  for (const uniform of [0, 0.3, 0.7, 0.999999]) {
    const taken = spread(shares, 10, uniform);
    t.deepEqual(
      [...taken],
      [
        [0, 5],
        [1, 2],
        [3, 3],
      ],
    );
  }
  const single = [0.1, 0.6, 0.95].map((uniform) => [...spread(shares, 1, uniform)]);
  t.deepEqual(single, [[[0, 1]], [[1, 1]], [[3, 1]]]);
  const third = new Float64Array(3).fill(1 / 3);
  t.is(
    [...spread(third, 7, 1 - 2 ** -53).values()].reduce((a, b) => a + b),
    7,
  );
});
