import test from 'ava';
import type { Plan, PlanNode } from '../../schemas/plan.ts';
import { nodesBefore, storedInputs } from '../../schemas/plan-inputs.ts';
import type { StageResult } from '../../schemas/progress.ts';
import { Board, conclude, gatherInputs, type Outcome } from '../../workflows/settle.ts';

const node = (id: string, inputs: PlanNode['inputs'] = {}, required = true): PlanNode => ({
  id,
  stage: id,
  params: {},
  inputs,
  required,
  policy: { queue: 'cpu', startToClose: '1m', heartbeat: '10s', attempts: 1 },
});
const ref = (digest: string) => ({ kind: 'model', digest }) as const;
const result = (digest: string): StageResult => ({ ref: ref(digest), cached: false, why: '', summary: {} });
const done = (digest: string): Outcome => ({ state: 'done', result: result(digest) });
const failed = (code: string): Outcome => ({ state: 'failed', failure: { code, message: 'words' } });
const skipped: Outcome = { state: 'skipped', failure: { code: 'Skipped', message: 'nothing' } };

test('inputs are the refs of what the node reads', (t) => {
  const reader = node('r', { one: 'a', many: ['b', 'c'], none: [] });
  const outcomes = new Map([
    ['a', done('1')],
    ['b', done('2')],
    ['c', done('3')],
  ]);
  t.deepEqual(gatherInputs(reader, outcomes), {
    inputs: { one: ref('1'), many: [ref('2'), ref('3')], none: [] },
  });
  t.deepEqual(nodesBefore(reader), ['a', 'b', 'c']);
});

test('an artifact of the store is an input as it stands, beside what nodes make', (t) => {
  const stored = ref('9');
  const reader = node('r', { one: 'a', from: [stored], model: stored });
  t.deepEqual(gatherInputs(reader, new Map([['a', done('1')]])), {
    inputs: { one: ref('1'), from: [stored], model: stored },
  });
  t.deepEqual(nodesBefore(reader), ['a'], 'there is nothing to wait for');
  t.deepEqual(storedInputs(reader), [stored, stored]);
});

test('a list is content with what is left of it, a single slot is not', (t) => {
  const outcomes = new Map([
    ['a', failed('Diverged')],
    ['b', done('2')],
    ['c', skipped],
  ]);
  t.deepEqual(gatherInputs(node('r', { many: ['a', 'b', 'c'] }), outcomes), { inputs: { many: [ref('2')] } });
  t.deepEqual(gatherInputs(node('r', { many: ['a', 'c'] }), outcomes), {
    skip: { code: 'Skipped', message: 'nothing for input many: a, c did not finish' },
  });
  t.like(gatherInputs(node('r', { one: 'a', many: ['b'] }), outcomes), { skip: { code: 'Skipped' } });
});

const plan = (...nodes: PlanNode[]): Plan => ({ name: 'p', nodes, nonRetryable: [] });

test('a run ends well when every required node has an output, and tells the rest', (t) => {
  const end = conclude(
    plan(node('a'), node('b', {}, false), node('c', { one: 'b' }, false)),
    new Map([
      ['a', done('1')],
      ['b', failed('Diverged')],
      ['c', skipped],
    ]),
  );
  t.deepEqual(end, {
    result: {
      refs: { a: ref('1') },
      failed: [
        { id: 'b', code: 'Diverged' },
        { id: 'c', code: 'Skipped' },
      ],
    },
  });
});

test('a required node without output fails the run, naming nodes and codes', (t) => {
  const end = conclude(
    plan(node('a', {}, false), node('b', { one: 'a' })),
    new Map([
      ['a', failed('Diverged')],
      ['b', skipped],
    ]),
  );
  t.deepEqual(end, { failure: 'no output of b; failed: a (Diverged: words)' });
});

test('the board tells states in the order of the plan', (t) => {
  const board = new Board(plan(node('a'), node('b')));
  board.start('b');
  board.settle('a', failed('Diverged'));
  t.deepEqual(
    board.list().map(({ id, state, failure }) => [id, state, failure?.code]),
    [
      ['a', 'failed', 'Diverged'],
      ['b', 'running', undefined],
    ],
  );
  board.settle('b', done('9'));
  t.is(board.list()[1]?.result?.ref.digest, '9');
});
