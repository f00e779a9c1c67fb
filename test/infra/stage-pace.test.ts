import test from 'ava';
import { StagePace } from '../../infra/cli/stage-pace.ts';
import type { Progress } from '../../schemas/progress.ts';

const steps = (step: number, of: number): Progress => ({ step, of });
const names = ['learning', 'calibration'];
const part = (index: number, share: number, of = names): Progress => ({
  step: Math.round(1000 * (index + share)),
  of: 1000 * of.length,
  part: { names: of, index, share },
});

test('without times of an earlier run the pace decides, counted down since the last heartbeat', (t) => {
  const pace = new StagePace();
  pace.add(1000, steps(10, 110));
  t.is(pace.secondsLeft(1000), undefined);
  pace.add(1000, steps(10, 110));
  pace.add(3000, steps(20, 110));
  t.is(Math.round(pace.secondsLeft(3000) ?? 0), 18);
  t.is(Math.round(pace.secondsLeft(8000) ?? 0), 13);
  t.is(Math.round(pace.secondsLeft(63_000) ?? 0), 12, 'overdue: a fifth of its silence, never 0');
  pace.add(64_000, steps(110, 110));
  t.is(pace.secondsLeft(64_000), 0);
});

test('the pace is that of the last minute, but of two heartbeats however far apart', (t) => {
  const pace = new StagePace();
  pace.add(1, steps(1, 1000));
  pace.add(10_000, steps(2, 1000));
  pace.add(80_000, steps(500, 1000));
  pace.add(81_000, steps(510, 1000));
  t.true((pace.secondsLeft(81_000) ?? 1000) < 100);
  const slow = new StagePace();
  slow.add(1, steps(1, 3));
  slow.add(300_001, steps(2, 3));
  t.is(Math.round(slow.secondsLeft(300_001) ?? 0), 300);
});

test('a retry that goes back starts over', (t) => {
  const pace = new StagePace();
  pace.add(1, steps(50, 100));
  pace.add(1000, steps(60, 100));
  pace.add(2000, steps(10, 100));
  t.is(pace.secondsLeft(2000), undefined);
  pace.add(3000, steps(11, 100));
  t.is(Math.round(pace.secondsLeft(3000) ?? 0), 89);
});

test('calibration is a part of its own: never 0 s while it goes on, and as long as it was last time', (t) => {
  const pace = new StagePace();
  const last = { seconds: 100, parts: { learning: 60, calibration: 40 } };
  pace.add(1000, part(0, 0));
  for (let second = 1; second <= 60; second++) pace.add(1000 + 1000 * second, part(0, second / 60));
  pace.add(61_100, part(1, 0));
  t.true(Math.abs((pace.secondsLeft(61_100, last) ?? 0) - 40) < 1);
  // Signs of life in between change nothing.
  pace.add(80_000, part(1, 0));
  t.true(Math.abs((pace.secondsLeft(81_100, last) ?? 0) - 20) < 1);
  t.true((pace.secondsLeft(300_000, last) ?? 0) > 10, 'it takes longer than last time');
});

test('parts to come go as much slower as those before; one from the cache is no measure', (t) => {
  const metrics = ['quick', 'cached', 'slow'];
  const last = { seconds: 111, parts: { quick: 10, cached: 1, slow: 100 } };
  const pace = new StagePace();
  pace.add(1000, part(0, 0, metrics));
  pace.add(21_000, part(1, 0, metrics));
  pace.add(21_001, part(2, 0, metrics));
  const left = pace.secondsLeft(21_001, last) ?? 0;
  t.true(left > 120 && left < 200, `${left}`);
});

test('parts that have not run before get the median of those that have', (t) => {
  const pace = new StagePace();
  pace.add(1000, part(0, 0, ['a', 'b', 'c', 'new']));
  const left = pace.secondsLeft(1000, { seconds: 103, parts: { a: 1, b: 2, c: 100 } });
  t.is(Math.round(left ?? 0), 105);
});
