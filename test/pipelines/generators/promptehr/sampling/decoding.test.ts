import test from 'ava';
import {
  type SpanRules,
  spanRules,
} from '../../../../../pipelines/generators/promptehr/records/span-grammar.ts';
import { beginOf, streamsOf } from '../../../../../pipelines/generators/promptehr/records/streams.ts';
import {
  likeliest,
  logSoftmax,
  promptSampling,
  sampleOutput,
} from '../../../../../pipelines/generators/promptehr/sampling/decoding.ts';
import type {
  SpanNetwork,
  SpanTask,
} from '../../../../../pipelines/generators/promptehr/sampling/write-spans.ts';
import { writeSpans } from '../../../../../pipelines/generators/promptehr/sampling/write-spans.ts';
import { RandomSource } from '../../../../../pipelines/kernel/random.ts';

const all = (length: number): Uint8Array => new Uint8Array(length).fill(1);
const probabilities = (logs: Float64Array): number[] => Array.from(logs, Math.exp);
const random = new RandomSource(11, 'patients');
const uniformOf = (stream: number) => (position: number) => {
  const one = new Float64Array(1);
  random.fill(one, position, position + 1, stream);
  return one[0] as number;
};

test('probabilities are shared among what is allowed', (t) => {
  const logits = Float32Array.of(Math.log(1), Math.log(2), Math.log(5), Math.log(2));
  const close = (logs: Float64Array, expected: number[]) =>
    probabilities(logs).forEach((p, i) => {
      t.true(Math.abs(p - (expected[i] as number)) < 1e-7);
    });
  close(logSoftmax(logits, all(4)), [0.1, 0.2, 0.5, 0.2]);
  close(logSoftmax(logits, Uint8Array.of(1, 1, 0, 1)), [0.2, 0.4, 0, 0.4]);
  close(logSoftmax(Float32Array.of(900, 1000, 1000), all(3)), [0, 0.5, 0.5]);
});

test('the likeliest come first, of equals the lower', (t) => {
  const logs = Float64Array.of(-2, -1, Number.NEGATIVE_INFINITY, -1, -3);
  t.deepEqual(likeliest(logs, 1), [1]);
  t.deepEqual(likeliest(logs, 9), [1, 3, 0, 4]);
  t.deepEqual(likeliest(logs, 2), [1, 3]);
  t.deepEqual(likeliest(new Float64Array(2).fill(Number.NEGATIVE_INFINITY), 1), []);
});

/** Shares of outputs over a grid of uniforms: exact up to the grid. */
const shares = (logs: Float64Array, sampling: Parameters<typeof sampleOutput>[1]): number[] => {
  const drawn = Array.from({ length: 10_000 }, (_, i) => sampleOutput(logs, sampling, (i + 0.5) / 10_000));
  return Array.from(logs, (_, output) => drawn.filter((found) => found === output).length / 10_000);
};
const nearly = (found: number[], expected: number[]): boolean =>
  found.every((share, i) => Math.abs(share - (expected[i] as number)) < 2e-4);

test('draws follow temperature, top-k and nucleus', (t) => {
  const logs = Float64Array.from([0.1, 0.2, 0.4, 0, 0.3], Math.log);
  t.true(nearly(shares(logs, { temperature: 1 }), [0.1, 0.2, 0.4, 0, 0.3]));
  // Squares 0.01, 0.04, 0.16, 0.09 over 0.3.
  t.true(nearly(shares(logs, { temperature: 0.5 }), [0.01 / 0.3, 0.04 / 0.3, 0.16 / 0.3, 0, 0.09 / 0.3]));
  t.true(nearly(shares(logs, { temperature: 1, topK: 2 }), [0, 0, 4 / 7, 0, 3 / 7]));
  t.true(nearly(shares(logs, { temperature: 1, topK: 1 }), [0, 0, 1, 0, 0]));
  t.true(nearly(shares(logs, { temperature: 1, topK: 50 }), [0.1, 0.2, 0.4, 0, 0.3]));
  t.true(nearly(shares(logs, { temperature: 1, topP: 0.5 }), [0, 0, 4 / 7, 0, 3 / 7]));
  t.true(nearly(shares(logs, { temperature: 1, topP: 0.75 }), [0, 0.2 / 0.9, 0.4 / 0.9, 0, 0.3 / 0.9]));
  t.true(nearly(shares(logs, { temperature: 1, topP: 0.1 }), [0, 0, 1, 0, 0]));
  // Of the two likeliest, 4/7 is more than half.
  t.true(nearly(shares(logs, { temperature: 1, topK: 2, topP: 0.5 }), [0, 0, 1, 0, 0]));
  t.is(sampleOutput(logs, { temperature: 1 }, 1 - 2 ** -53), 4);
  t.is(sampleOutput(Float64Array.of(Number.NEGATIVE_INFINITY, 0), { temperature: 1e-3 }, 0), 1);
});

test('settings that do nothing are refused', (t) => {
  t.deepEqual(promptSampling.parse({}), { method: 'sample', temperature: 1, beams: 4 });
  for (const wrong of [
    { method: 'greedy', topK: 3 },
    { method: 'beam', topP: 0.5 },
    { temperature: 0 },
    { topP: 1.5 },
    { width: 3 },
  ])
    t.false(promptSampling.safeParse(wrong).success, JSON.stringify(wrong));
});

const codes = 5;
const layout = streamsOf({
  codes: Array.from({ length: codes }, (_, i) => ({ modality: 'dx', code: `${i}` })),
});
/** Logits decided by what was said: a network whose every probability is known. */
const logitsAfter = (context: number, said: readonly number[]): Float32Array => {
  const own = new Float64Array(codes + 1);
  random.fill(own, 0, codes + 1, 1000 + context, 1 + said.reduce((key, output) => key * 8 + output, 0));
  return Float32Array.from(own, (u) => 3 * u);
};
/** Remembers what each span said, as a decoder's cache does; `peak`: most spans at once. */
class TableNetwork implements SpanNetwork {
  peak = 0;
  steps = 0;
  open = 0;
  decode(_memory: unknown, contexts: Int32Array, heads: Int32Array) {
    const network = this;
    let spans = Array.from(contexts, (context, i) => ({
      context,
      kind: heads[i] as number,
      said: [] as number[],
    }));
    network.open++;
    return {
      get live() {
        return spans.length;
      },
      async step(tokens: Int32Array) {
        network.peak = Math.max(network.peak, spans.length);
        network.steps++;
        if (tokens.length !== spans.length) throw new RangeError('one token per live span');
        spans = spans.map(({ context, kind, said }, i) => {
          const token = tokens[i] as number;
          const next =
            token === beginOf(kind) ? said : [...said, layout.heads[kind]?.tokens.indexOf(token) ?? -1];
          return { context, kind, said: next };
        });
        return spans.map(({ context, said }) => logitsAfter(context, said));
      },
      select(rows: Int32Array) {
        spans = Array.from(rows, (row) => spans[row] as (typeof spans)[number]);
      },
      dispose() {
        network.open--;
      },
    };
  }
}
const encoded = { contexts: 0, dispose: () => undefined };
const canonical = spanRules({ outputs: codes + 1, order: 'canonical' });
const taskOf = (context: number, rules: SpanRules = canonical, stream = context): SpanTask => ({
  context,
  kind: 0,
  rules,
  uniform: uniformOf(stream),
});
const write = (tasks: SpanTask[], sampling: object, network = new TableNetwork()) =>
  writeSpans(network, encoded, layout, tasks, promptSampling.parse(sampling));

/** ln of a span's probability under the table and the grammar. */
const logOf = (context: number, said: readonly number[], rules: SpanRules): number => {
  let sum = 0;
  for (let at = 0; at <= said.length; at++) {
    const before = said.slice(0, at);
    const allowed = all(codes + 1).fill(0);
    for (let output = 0; output <= codes; output++) {
      const repeated = before.includes(output);
      const lower = rules.order === 'canonical' && output < (before.at(-1) ?? 0);
      if (output === 0 || (!repeated && !lower)) allowed[output] = 1;
    }
    sum += logSoftmax(logitsAfter(context, before), allowed)[said[at] ?? 0] as number;
  }
  return sum;
};
const subsets = Array.from({ length: 2 ** codes }, (_, bits) =>
  Array.from({ length: codes }, (_, i) => i + 1).filter((output) => ((bits >> (output - 1)) & 1) === 1),
);

test('spans come as often as the network says', async (t) => {
  const draws = 20_000;
  const spans = await write(
    Array.from({ length: draws }, (_, i) => taskOf(7, canonical, i)),
    {},
  );
  const counts = new Map<string, number>();
  for (const said of spans) counts.set(`${said}`, (counts.get(`${said}`) ?? 0) + 1);
  let squares = 0;
  for (const said of subsets) {
    const expected = draws * Math.exp(logOf(7, said, canonical));
    squares += ((counts.get(`${said}`) ?? 0) - expected) ** 2 / expected;
  }
  // χ² of 31 degrees of freedom: beyond 61 once in a thousand times.
  t.true(squares < 61, `χ² ${squares}`);
  t.true(squares > 9, `χ² ${squares}: too good`);
});

test('greedy takes the likeliest output at each step, whatever the uniforms', async (t) => {
  const [one, two] = await write([taskOf(3), taskOf(3, canonical, 99)], { method: 'greedy' });
  t.deepEqual(one, two);
  let said: number[] = [];
  for (;;) {
    const logits = logitsAfter(3, said);
    const open = [0, 1, 2, 3, 4, 5].filter((output) => output === 0 || output > (said.at(-1) ?? 0));
    const best = open.reduce((a, b) => ((logits[b] as number) > (logits[a] as number) ? b : a));
    if (best === 0) break;
    said = [...said, best];
  }
  t.deepEqual(one, said);
});

for (const order of ['canonical', 'shuffled'] as const)
  test(`beam search, ${order}: never less likely than greedy, and the likeliest of all when it keeps all`, async (t) => {
    const rules = spanRules({ outputs: codes + 1, order });
    const contexts = Array.from({ length: 60 }, (_, i) => i);
    const tasks = contexts.map((context) => taskOf(context, rules));
    const logs = (spans: number[][]) => spans.map((said, context) => logOf(context, said, rules));
    const greedy = logs(await write(tasks, { method: 'greedy' }));
    for (const beams of [2, 4]) {
      const found = logs(await write(tasks, { method: 'beam', beams }));
      t.true(found.every((log, i) => log >= (greedy[i] as number) - 1e-9));
      if (beams === 4)
        t.true(
          found.some((log, i) => log > (greedy[i] as number) + 0.01),
          'the search finds better',
        );
    }
    if (order === 'shuffled') return;
    const exact = logs(await write(tasks, { method: 'beam', beams: 32 }));
    for (const context of contexts) {
      const best = Math.max(...subsets.map((said) => logOf(context, said, rules)));
      t.true(Math.abs((exact[context] as number) - best) < 1e-6);
    }
  });

test('a span does not depend on who is written beside it', async (t) => {
  for (const sampling of [{}, { topK: 3 }, { topP: 0.8, temperature: 1.3 }, { method: 'beam' }]) {
    const tasks = Array.from({ length: 40 }, (_, i) => taskOf(i));
    const together = await write(tasks, sampling);
    for (const i of [0, 7, 39]) t.deepEqual((await write([tasks[i] as SpanTask], sampling))[0], together[i]);
    t.deepEqual(await write(tasks.toReversed(), sampling), together.toReversed());
  }
});

test('finished spans are dropped, and what the grammar decides is not asked', async (t) => {
  const network = new TableNetwork();
  const closed = spanRules({ outputs: codes + 1, order: 'canonical', most: 0 });
  const single = spanRules({ outputs: codes + 1, order: 'canonical', least: 1, most: 1 });
  for (const sampling of [{}, { method: 'greedy' }, { method: 'beam', beams: 2 }]) {
    const spans = await write([taskOf(1, closed), taskOf(2, single)], sampling, network);
    t.deepEqual(spans[0], []);
    t.is(spans[1]?.length, 1);
  }
  t.is(network.peak, 1);
  t.is(network.steps, 3);
  await write([taskOf(1, closed)], {}, network);
  t.is(network.steps, 3);
  t.is(network.open, 0);
});
