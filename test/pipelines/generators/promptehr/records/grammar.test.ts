import test from 'ava';
import {
  allowedOutputs,
  mustClose,
  spanRules,
} from '../../../../../pipelines/generators/promptehr/records/span-grammar.ts';
import { RandomSource } from '../../../../../pipelines/kernel/random.ts';

const outputsOf = (allowed: Uint8Array): number[] => [...allowed.keys()].filter((i) => allowed[i] === 1);

test('canonical order goes up, shuffled order repeats nothing', (t) => {
  const canonical = spanRules({ outputs: 6, order: 'canonical' });
  t.deepEqual(outputsOf(allowedOutputs(canonical, [])), [0, 1, 2, 3, 4, 5]);
  t.deepEqual(outputsOf(allowedOutputs(canonical, [1, 3])), [0, 4, 5]);
  t.deepEqual(outputsOf(allowedOutputs(canonical, [5])), [0]);
  const shuffled = spanRules({ outputs: 6, order: 'shuffled' });
  t.deepEqual(outputsOf(allowedOutputs(shuffled, [3, 1])), [0, 2, 4, 5]);
});

test('a span that needs codes may not skip so far that too few are left', (t) => {
  const two = spanRules({ outputs: 6, order: 'canonical', least: 2 });
  t.deepEqual(outputsOf(allowedOutputs(two, [])), [1, 2, 3, 4]);
  t.deepEqual(outputsOf(allowedOutputs(two, [4])), [5]);
  t.deepEqual(outputsOf(allowedOutputs(two, [2, 3])), [0, 4, 5]);
  const less = spanRules({ outputs: 6, order: 'canonical', least: 2, without: new Set([4, 1]) });
  t.deepEqual(outputsOf(allowedOutputs(less, [])), [2, 3]);
});

test('of things of which a visit has one, one is said', (t) => {
  const groups = Int32Array.of(-1, 4, 4, -1, 4, 7);
  const shuffled = spanRules({ outputs: 6, order: 'shuffled', groups });
  t.deepEqual(outputsOf(allowedOutputs(shuffled, [])), [0, 1, 2, 3, 4, 5]);
  t.deepEqual(outputsOf(allowedOutputs(shuffled, [2])), [0, 3, 5]);
  const canonical = spanRules({ outputs: 6, order: 'canonical', groups, least: 5 });
  t.deepEqual(outputsOf(allowedOutputs(canonical, [1, 3])), [5]);
  t.true(mustClose(canonical, [1, 3, 5]), 'no five go together');
});

test('bounds are never more than there are', (t) => {
  t.like(spanRules({ outputs: 4, order: 'shuffled', least: 9, most: 9, without: new Set([2]) }), {
    least: 2,
    most: 2,
  });
  t.like(spanRules({ outputs: 1, order: 'canonical', least: 1 }), { least: 0, most: 0 });
});

test('whatever is chosen, spans are well formed and get closed', (t) => {
  const random = new RandomSource(3, 'order');
  const uniforms = new Float64Array(64);
  for (let trial = 0; trial < 2000; trial++) {
    random.fill(uniforms, 0, 64, trial);
    const draw = (i: number, below: number) => Math.floor((uniforms[i] as number) * below);
    const outputs = 1 + draw(0, 9);
    const without = new Set(
      [...Array(outputs).keys()].slice(1).filter((i) => (uniforms[20 + i] as number) < 0.3),
    );
    const order = draw(1, 2) === 0 ? 'canonical' : 'shuffled';
    const least = draw(2, 5);
    const groups = Int32Array.from({ length: outputs }, (_, i) =>
      i > 0 && trial % 2 === 0 ? draw(30 + i, 3) : -1,
    );
    const rules = spanRules({ outputs, order, least, most: least + draw(3, 5), without, groups });
    const said: number[] = [];
    for (let step = 0; ; step++) {
      const choices = outputsOf(allowedOutputs(rules, said));
      t.true(choices.length > 0, 'something may always come');
      t.is(mustClose(rules, said), choices.length === 1 && choices[0] === 0);
      const output = choices[draw(40 + step, choices.length)] as number;
      if (output === 0) break;
      said.push(output);
    }
    t.true(said.length <= rules.most && (said.length >= rules.least || trial % 2 === 0));
    const taken = said.map((output) => groups[output]).filter((group) => group !== -1);
    t.is(new Set(taken).size, taken.length);
    t.is(new Set(said).size, said.length);
    t.true(said.every((output) => output > 0 && output < outputs && !without.has(output)));
    if (order === 'canonical')
      t.deepEqual(
        said,
        [...said].sort((a, b) => a - b),
      );
  }
});
