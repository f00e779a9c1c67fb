import test from 'ava';
import { Pace } from '../../infra/cli/pace.ts';
import { waitedFor } from '../../infra/cli/run-snapshot.ts';
import {
  durationText,
  type NodeView,
  numberText,
  Paces,
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

test('pace is steps by heartbeat time, counted down since the last heartbeat', (t) => {
  const pace = new Pace();
  pace.add(1000, { step: 10, of: 110 });
  t.is(pace.secondsLeft(1000), undefined);
  pace.add(1000, { step: 10, of: 110 });
  pace.add(3000, { step: 20, of: 110 });
  t.is(pace.secondsLeft(3000), 18);
  t.is(pace.secondsLeft(8000), 13);
  t.is(pace.secondsLeft(60_000), undefined, 'the time is up and the work is not done: no such pace');
});

test('pace looks at the last minute only, but keeps two heartbeats however far apart', (t) => {
  const pace = new Pace();
  pace.add(0, { step: 1, of: 1000 });
  pace.add(10_000, { step: 2, of: 1000 });
  pace.add(80_000, { step: 500, of: 1000 });
  pace.add(81_000, { step: 510, of: 1000 });
  t.true((pace.secondsLeft(81_000) ?? 0) < 80);
  const slow = new Pace();
  slow.add(0, { step: 1, of: 3 });
  slow.add(300_000, { step: 2, of: 3 });
  t.is(slow.secondsLeft(300_000), 300);
});

test('pace starts over when a retry goes back or the work changes size', (t) => {
  const pace = new Pace();
  pace.add(0, { step: 50, of: 100 });
  pace.add(1000, { step: 60, of: 100 });
  pace.add(2000, { step: 10, of: 100 });
  t.is(pace.secondsLeft(2000), undefined);
  pace.add(3000, { step: 11, of: 100 });
  t.is(pace.secondsLeft(3000), 89);
  pace.add(4000, { step: 12, of: 500 });
  t.is(pace.secondsLeft(4000), undefined);
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
  const paces = new Paces();
  paces.take(snapshot([node('train:halo', 'running', beat(0, 50))]));
  const now = snapshot([
    node('extract', 'cached', result('same source, same code', true)),
    node('assemble', 'done', result('', false, { patients: 100, visits: 129 })),
    node('train:halo', 'running', { ...beat(10_000, 100), attempt: 2, lastFailure: 'worker lost' }),
    node('train:marginal', 'failed', { failure: { code: 'Diverged', message: 'loss is NaN at step 7' } }),
    node('generate:marginal', 'skipped'),
    node('report', 'waiting'),
  ]);
  paces.take(now);
  t.deepEqual(runLines(now, paces, 10_000), [
    'nightly-1: running, 1 min 15 s, 2 of 6 nodes',
    '  cached   extract            same source, same code',
    '  done     assemble           patients 100 · visits 129',
    '  running  train:halo         50 % · 100/200 · epoch 2 · loss 0.1235 · 20 s left (attempt 2 after worker lost)',
    '  failed   train:marginal     Diverged: loss is NaN at step 7',
    '                              → the loss is not finite; lower the learning rate',
    '  skipped  generate:marginal',
    '  waiting  report',
  ]);
  const wide = runLines(now, paces, 10_000, 110);
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
  t.is(runLines(over, new Paces(), 0)[1], '  done     report  page report.html · generators 1');
  t.is(verdictOf(snapshot([node('report', 'waiting')])), undefined);
});

test('a node waits for a worker in vain, but not for one that is busy with this run', (t) => {
  const waiting = (id: string) => node(id, 'running', { queue: 'gpu', unclaimed: true });
  t.deepEqual(waitedFor([waiting('train:a'), waiting('train:b')]), ['gpu']);
  t.deepEqual(waitedFor([waiting('train:a'), node('train:b', 'running', { queue: 'gpu' })]), []);
  t.deepEqual(waitedFor([waiting('train:a'), node('report', 'running')]), ['gpu']);
  t.deepEqual(waitedFor([node('train:a', 'waiting', { queue: 'gpu' })]), []);
});

test('a node that no worker has taken is shown as queued', (t) => {
  const [, line] = runLines(snapshot([node('train:a', 'running', { unclaimed: true })]), new Paces(), 0);
  t.is(line, '  queued   train:a  waits for a worker of queue cpu');
});

test('a live screen draws over its last picture', (t) => {
  const written: string[] = [];
  const screen = new LiveScreen({ write: (text) => written.push(text), columns: 80, rows: 24 }, () => 0);
  screen.show(snapshot([node('extract', 'running')]));
  screen.show(snapshot([node('extract', 'done'), node('report', 'waiting')]));
  t.false(written[0]?.startsWith('\x1b[2A'));
  t.true(written[1]?.startsWith('\x1b[2A'));
  t.is(written[1]?.match(/\n/g)?.length, 3);
});

test('a live screen draws no more lines than the terminal has, but for the last picture', (t) => {
  const written: string[] = [];
  const screen = new LiveScreen({ write: (text) => written.push(text), columns: 80, rows: 5 }, () => 0);
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
  show(12_000, [node('extract', 'running', beat(12_000, 60))]);
  show(12_500, [node('extract', 'running', beat(12_000, 60))]);
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
