import test from 'ava';
import { z } from 'zod';
import { fieldsOf } from '../../infra/cli/describe-schema.ts';
import { mermaid, planText } from '../../infra/cli/plan-view.ts';
import { runId } from '../../infra/cli/run-view.ts';
import { table } from '../../infra/cli/table.ts';
import { nearest } from '../../pipelines/kernel/names.ts';
import { keysAt } from '../../pipelines/kernel/parse-config.ts';
import type { Plan } from '../../schemas/plan.ts';

test('a slip of the finger finds the word that was meant; another word finds none', (t) => {
  const known = ['status', 'stages', 'watch', 'worker'];
  t.is(nearest('stauts', known), 'status');
  t.is(nearest('stage', known), 'stages');
  t.is(nearest('wokrer', known), 'worker');
  t.is(nearest('WATCH', known), 'watch');
  t.is(nearest('frobnicate', known), undefined);
});

test('settings are told with type, bounds, default and meaning', (t) => {
  const schema = z.object({
    count: z.int().positive().default(3).describe('how many'),
    share: z.number().min(0).max(1),
    rate: z.number().positive().optional(),
    kinds: z.array(z.enum(['a', 'b'])).default(['a']),
    deep: z.strictObject({ inner: z.boolean().default(false) }).prefault({}),
    told: z.object({ inner: z.string() }).describe('a group'),
    who: z.union([z.string(), z.strictObject({ name: z.string() })]).optional(),
  });
  t.deepEqual(fieldsOf(schema), [
    { path: 'count', type: 'integer ≥ 1', required: false, default: '3', about: 'how many' },
    { path: 'share', type: 'number 0…1', required: true },
    { path: 'rate', type: 'number > 0', required: false },
    { path: 'kinds', type: 'list of (a | b)', required: false, default: '["a"]' },
    { path: 'deep.inner', type: 'boolean', required: false, default: 'false' },
    { path: 'told', type: 'group', required: true, about: 'a group' },
    { path: 'told.inner', type: 'text', required: true },
    { path: 'who', type: 'text or {name}', required: false },
  ]);
  t.deepEqual(keysAt(schema, ['who']), ['name']);
  t.deepEqual(keysAt(schema, ['deep']), ['inner']);
  t.deepEqual(keysAt(schema, ['count']), []);
});

test('run ids say name and time, and differ', (t) => {
  const now = new Date('2026-11-21T08:45:12.345Z');
  t.regex(runId('nightly', now), /^nightly-20261121-084512-[0-9a-f]{4}$/);
  t.regex(runId('  Ward 7 / Müller!', now), /^ward-7-m-ller-20261121-084512-/);
  t.regex(runId('日本', now), /^run-20261121/);
  t.not(new Set(Array.from({ length: 50 }, () => runId('x', now))).size, 1);
});

test('a plan is drawn for a terminal and for mermaid', (t) => {
  const policy = { queue: 'cpu' as const, startToClose: '1h', heartbeat: '1m', attempts: 1 };
  const plan: Plan = {
    name: 'small',
    nonRetryable: [],
    nodes: [
      { id: 'extract', stage: 'extract', params: { source: '/data' }, inputs: {}, required: true, policy },
      {
        id: 'train:halo',
        stage: 'train',
        params: { seed: 0 },
        inputs: { cohort: 'extract', more: ['extract'] },
        required: false,
        policy: { ...policy, queue: 'gpu' },
      },
    ],
  };
  t.is(
    planText(plan),
    `small: 2 nodes
  extract     cpu            (source)
  train:halo  gpu  may fail  ← extract

With
  extract     source=/data
  train:halo  seed=0`,
  );
  t.is(mermaid(plan), 'flowchart LR\n  n0["extract"]\n  n1(["train:halo"])\n  n0 --> n1');
});

test('mermaid draws no arrow that a longer way implies', (t) => {
  const policy = { queue: 'cpu' as const, startToClose: '1h', heartbeat: '1m', attempts: 1 };
  const node = (id: string, ...needs: string[]) => ({
    ...{ id, stage: id, params: {}, inputs: { needs }, required: true, policy },
  });
  const plan: Plan = {
    name: 'x',
    nonRetryable: [],
    nodes: [node('a'), node('b', 'a'), node('c', 'b'), node('d', 'a', 'b', 'c'), node('e', 'a')],
  };
  t.deepEqual(
    mermaid(plan)
      .split('\n')
      .filter((line) => line.includes('-->')),
    ['  n0 --> n1', '  n1 --> n2', '  n2 --> n3', '  n0 --> n4'],
  );
});

test('a table without rows has its head', (t) => {
  t.is(table(['name', 'value'], []), '  name  value\n  ────  ─────');
});
