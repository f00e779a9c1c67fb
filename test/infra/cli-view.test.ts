import test from 'ava';
import { waitedFor } from '../../infra/cli/run-snapshot.ts';
import {
  durationText,
  estimateText,
  type NodeView,
  numberText,
  type RunSnapshot,
  runLines,
  verdictOf,
} from '../../infra/cli/run-view.ts';
import { LiveScreen, PlainScreen } from '../../infra/cli/screen.ts';

const node = (id: string, state: NodeView['state'], more: Partial<NodeView> = {}): NodeView => ({
  id,
  stage: id.split(':')[0] ?? id,
  queue: 'cpu',
  state,
  ...more,
});
const snapshot = (nodes: NodeView[], more: Partial<RunSnapshot> = {}): RunSnapshot => ({
  run: 'nightly-1',
  state: 'running',
  started: '2026-11-21T01:00:00.000Z',
  seconds: 75,
  nodes,
  ...more,
});
const result = (why: string, cached: boolean, summary = {}): Pick<NodeView, 'result'> => ({
  result: { ref: { kind: 'events', digest: '0'.repeat(64) }, cached, why, summary },
});
const beat = (at: number, step: number): Pick<NodeView, 'beat'> => ({
  beat: { at, progress: { step, of: 200, phase: 'epoch 2', metrics: { loss: 0.123456 } } },
});

test('durations and numbers are rounded for people', (t) => {
  t.deepEqual([0.2, 59.6, 60, 200, 3600, 7500].map(durationText), [
    '0 s',
    '1 min',
    '1 min',
    '3 min 20 s',
    '1 h 0 min',
    '2 h 5 min',
  ]);
  t.deepEqual([12345, 0.123456, 1234.5678].map(numberText), ['12,345', '0.1235', '1235']);
});

test('a run in lines says progress, cache and failure with what helps', (t) => {
  const now = snapshot([
    node('extract', 'cached', result('same source, same code', true)),
    node('assemble', 'done', result('', false, { patients: 100, visits: 129 })),
    node('train:halo', 'running', {
      ...{ ...beat(10_000, 100), secondsLeft: 20 },
      ...{ attempt: 2, lastFailure: 'worker lost' },
    }),
    node('train:marginal', 'failed', { failure: { code: 'Diverged', message: 'loss is NaN at step 7' } }),
    node('generate:marginal', 'skipped'),
    node('report', 'waiting'),
  ]);
  t.deepEqual(runLines(now), [
    'nightly-1: running, 1 min 15 s, 2 of 6 nodes',
    '  cached   extract            same source, same code',
    '  done     assemble           patients 100 · visits 129',
    '  running  train:halo         50 % · 100/200 · epoch 2 · loss 0.1235 · 20 s left (attempt 2 after worker lost)',
    '  failed   train:marginal     Diverged: loss is NaN at step 7',
    '                              → the loss is not finite; lower the learning rate',
    '  skipped  generate:marginal',
    '  waiting  report',
  ]);
  const wide = runLines(now, 110);
  t.true(wide.every((line) => line.length <= 110));
  t.regex(wide[3] ?? '', /██████████░░░░░░░░░░ 50 %/);
});

test('the verdict of a report has a line of its own, once there is one', (t) => {
  const summary = {
    page: 'report.html',
    generators: 1,
    verdict: 'Do not release: halo fails 1 privacy check.',
  };
  const over = snapshot([node('report', 'done', result('', false, summary))]);
  t.is(verdictOf(over), summary.verdict);
  t.is(runLines(over)[1], '  done     report  page report.html · generators 1');
  t.is(verdictOf(snapshot([node('report', 'waiting')])), undefined);
});

test('a node waits for a worker in vain, but not for one that is busy with this run', (t) => {
  const waiting = (id: string) => node(id, 'running', { queue: 'gpu', unclaimed: true });
  t.deepEqual(waitedFor([waiting('train:a'), waiting('train:b')]), ['gpu']);
  t.deepEqual(waitedFor([waiting('train:a'), node('train:b', 'running', { queue: 'gpu' })]), []);
  t.deepEqual(waitedFor([waiting('train:a'), node('report', 'running')]), ['gpu']);
  t.deepEqual(waitedFor([node('train:a', 'waiting', { queue: 'gpu' })]), []);
});

test('less than a second of work that goes on is shown as one', (t) => {
  const [, line] = runLines(snapshot([node('train:a', 'running', { ...beat(0, 199), secondsLeft: 0.2 })]));
  t.regex(line ?? '', / 1 s left$/);
});

test('a node that no worker has taken is shown as queued', (t) => {
  const [, line] = runLines(snapshot([node('train:a', 'running', { unclaimed: true })]));
  t.is(line, '  queued   train:a  waits for a worker of queue cpu');
});

test('the end of a run is a line: the estimate, that it is rough, or why there is none', (t) => {
  const slots = { cpu: 2, gpu: 1 };
  const ends = new Date(Date.now() + 200_000).toISOString();
  const known = { secondsLeft: 200, ends, done: 0.273, basis: 'measured' as const, unknown: [], slots };
  const at = ends.slice(11, 16);
  t.regex(
    estimateText(snapshot([], { estimate: known })) ?? '',
    new RegExp(`^27 % of the time, about 3 min 20 s left, until .*${at} UTC$`),
  );
  const rough = snapshot([], { estimate: { ...known, basis: 'rough', unknown: ['report'] } });
  t.regex(estimateText(rough) ?? '', /UTC; rough, as 1 stage has not run before$/);
  const unknown = ['train:halo', 'generate:halo', 'privacy:halo', 'report'];
  const none = snapshot([], { estimate: { basis: 'none', unknown, slots } });
  t.is(
    estimateText(none),
    'no estimate yet: 4 stages have not run before (train:halo, generate:halo, privacy:halo, …)',
  );
  t.is(runLines(none)[1], `  ${estimateText(none)}`);
  t.is(estimateText({ ...rough, state: 'completed' }), undefined);
});

test('a live screen draws over its last picture', (t) => {
  const written: string[] = [];
  const screen = new LiveScreen({ write: (text) => written.push(text), columns: 80, rows: 24 });
  screen.show(snapshot([node('extract', 'running')]));
  screen.show(snapshot([node('extract', 'done'), node('report', 'waiting')]));
  t.false(written[0]?.startsWith('\x1b[2A'));
  t.true(written[1]?.startsWith('\x1b[2A'));
  t.is(written[1]?.match(/\n/g)?.length, 3);
});

test('a live screen draws no more lines than the terminal has, but for the last picture', (t) => {
  const written: string[] = [];
  const screen = new LiveScreen({ write: (text) => written.push(text), columns: 80, rows: 5 });
  screen.show(snapshot(Array.from({ length: 30 }, (_, i) => node(`n${i}`, 'waiting'))));
  t.is(written[0]?.match(/\n/g)?.length, 4);
  screen.show(
    snapshot([node('a', 'done'), ...Array.from({ length: 9 }, (_, i) => node(`n${i}`, 'done'))], {
      state: 'completed',
    }),
  );
  t.is(written[1]?.match(/\n/g)?.length, 11);
});

test('a plain screen tells changes once, and progress every ten seconds', (t) => {
  const lines: string[] = [];
  let now = 0;
  const screen = new PlainScreen(
    (line) => lines.push(line),
    () => now,
  );
  const show = (at: number, nodes: NodeView[], more: Partial<RunSnapshot> = {}) => {
    now = at;
    screen.show(snapshot(nodes, more));
  };
  show(0, [node('extract', 'waiting')]);
  show(1000, [node('extract', 'running')]);
  show(2000, [node('extract', 'running', beat(2000, 10))]);
  show(9000, [node('extract', 'running', beat(9000, 45))]);
  show(12_000, [node('extract', 'running', { ...beat(12_000, 60), secondsLeft: 28 })]);
  show(12_500, [node('extract', 'running', { ...beat(12_000, 60), secondsLeft: 28 })]);
  show(20_000, [node('extract', 'done', result('', false, { tables: 7 }))], { state: 'completed' });
  show(21_000, [node('extract', 'done')], { state: 'completed' });
  t.deepEqual(lines, [
    '00:00:00  nightly-1: running, 1 min 15 s, 0 of 1 nodes',
    '00:00:01  running  extract',
    '00:00:12  running  extract  30 % · 60/200 · epoch 2 · loss 0.1235 · 28 s left',
    '00:00:20  done     extract  tables 7',
    '00:00:20  nightly-1: completed, 1 min 15 s, 1 of 1 nodes',
  ]);
});
