import { readFileSync } from 'node:fs';
import test from 'ava';
import { z } from 'zod';
import { makespan, RunEstimator } from '../../infra/cli/run-estimate.ts';
import type { LastTimes } from '../../infra/cli/run-times.ts';
import { estimateText, type NodeView, type RunSnapshot, type Slots } from '../../infra/cli/run-view.ts';
import type { Plan } from '../../schemas/plan.ts';

const event = z.union([
  z.tuple([z.number(), z.string(), z.literal('start')]),
  z.tuple([z.number(), z.string(), z.literal('end')]).rest(z.number()),
  z.tuple([z.number(), z.string(), z.number(), z.number()]).rest(z.number()),
]);
/**
 * Progress of two runs of the demo data, without a server, on a busy machine; `about` explains the columns.
 */
const recorded = z
  .object({
    plan: z.array(
      z.tuple([
        z.string(),
        z.string(),
        z.enum(['cpu', 'gpu']),
        z.record(z.string(), z.union([z.string(), z.array(z.string())])),
      ]),
    ),
    names: z.array(z.array(z.string())),
    runs: z.array(z.object({ seconds: z.number(), events: z.array(event) })),
  })
  .parse(JSON.parse(readFileSync(new URL('../fixtures/run-progress.json', import.meta.url), 'utf8')));

const plan: Plan = {
  name: 'replay',
  nonRetryable: [],
  nodes: recorded.plan.map(([id, stage, queue, inputs]) => ({
    id,
    stage,
    params: {},
    inputs,
    required: true,
    policy: { queue, startToClose: '1h', heartbeat: '1m', attempts: 1 },
  })),
};
type Recording = (typeof recorded.runs)[number];
const one: Slots = { cpu: 1, gpu: 1, all: 1 };

/** What the stages of a recorded run took, by parts. */
const timesOf = ({ events }: Recording): Map<string, LastTimes> => {
  const times = new Map<string, LastTimes>();
  const began = new Map<string, number>();
  const seen = new Map<string, { at: number; part?: string }>();
  for (const [at, id, what, , names, index] of events) {
    if (what === 'start') {
      began.set(id, at);
      seen.set(id, { at });
      continue;
    }
    const last = seen.get(id) ?? { at };
    const part = names === undefined ? last.part : recorded.names[names]?.[index ?? 0];
    const known = times.get(id) ?? { seconds: 0 };
    const parts = part && { ...known.parts, [part]: (known.parts?.[part] ?? 0) + (at - last.at) / 1000 };
    times.set(id, { seconds: (at - (began.get(id) ?? 0)) / 1000, parts: parts || undefined });
    seen.set(id, { at, part });
  }
  return times;
};

/** The run's estimates, every second: at which share of its time, and the estimate over the truth. */
const replay = ({ seconds, events }: Recording, last: Map<string, LastTimes>) => {
  const nodes = new Map<string, NodeView>(
    plan.nodes.map(({ id, stage, policy }) => [id, { id, stage, queue: policy.queue, state: 'waiting' }]),
  );
  const estimator = new RunEstimator(plan, last);
  const finished = new Map<string, number>();
  const found: { share: number; ratio?: number; snapshot: RunSnapshot }[] = [];
  let next = 0;
  for (let now = 0; now < 1000 * seconds; now += 1000) {
    for (let e = events[next]; e && e[0] <= now; e = events[++next]) {
      const [at, id, what, of, names, index, share] = e;
      const node = nodes.get(id) as NodeView;
      if (what === 'start') nodes.set(id, { ...node, state: 'running', startedAt: at });
      else if (what === 'end') {
        nodes.set(id, { ...node, state: 'done', beat: undefined });
        finished.set(id, (at - (node.startedAt ?? at)) / 1000);
      } else {
        const part =
          names === undefined
            ? undefined
            : { names: recorded.names[names] as string[], index: index ?? 0, share: share ?? 0 };
        nodes.set(id, { ...node, beat: { at, progress: { step: what, of: of ?? 1, part } } });
      }
    }
    const snapshot: RunSnapshot = {
      run: 'replay-1',
      state: 'running',
      started: '2026-12-01T00:00:00.000Z',
      seconds: now / 1000,
      nodes: [...nodes.values()],
    };
    const estimated = estimator.add(snapshot, finished, one, now);
    const left = estimated.estimate?.secondsLeft;
    const truth = seconds - now / 1000;
    found.push({
      share: now / 1000 / seconds,
      ratio: left === undefined ? undefined : left / truth,
      snapshot: estimated,
    });
  }
  return found;
};

const [first, second] = recorded.runs as [Recording, Recording];

/**
 * Of all estimates from `share` of the run on: the largest error of its predicted length, and the median
 * error of the time left, both as shares. The recordings are of a machine that other work made two times
 * faster and slower within a run (its stages took 0.4 to 2.7 times as long in the second), which no estimate
 * can know.
 */
const errorsOf = (found: ReturnType<typeof replay>, share: number) => {
  const later = found.filter((at) => at.share >= share);
  const left = later.map(({ ratio = Number.NaN }) => Math.abs(ratio - 1));
  const length = later.map((at, i) => (left[i] as number) * (1 - at.share));
  return {
    // Not a number, where there is no estimate, stays one.
    length: length.reduce((most, error) => Math.max(most, error), 0),
    left: left.sort((x, y) => x - y)[left.length >> 1] as number,
  };
};

test('a first run is estimated within 50 % once a third of it is over', (t) => {
  const found = replay(first, new Map());
  t.is(found[0]?.snapshot.estimate?.basis, 'none');
  t.regex(estimateText(found[0]?.snapshot as RunSnapshot) ?? '', /^no estimate yet: 14 stages have not run/);
  const { length, left } = errorsOf(found, 1 / 3);
  t.true(length < 0.25, `length: ${length}`);
  t.true(left < 0.5, `left: ${left}`);
});

test('a run whose stages have run before is estimated within 25 % after a tenth of it', (t) => {
  const found = replay(second, timesOf(first));
  t.is(found[0]?.snapshot.estimate?.basis, 'measured');
  const { length, left } = errorsOf(found, 0.1);
  t.true(length < 0.25, `length: ${length}`);
  t.true(left < 0.25, `left: ${left}`);
});

test('known times that hold are met: the replay of a run by its own times is within 10 % after a tenth', (t) => {
  const { length, left } = errorsOf(replay(first, timesOf(first)), 0.1);
  t.true(length < 0.1, `length: ${length}`);
  t.true(left < 0.1, `left: ${left}`);
});

test('no running stage is ever shown with 0 s left before its last part', (t) => {
  const found = replay(second, timesOf(first));
  const calibrating = found.flatMap(({ snapshot: { nodes } }) =>
    nodes.filter(({ beat }) => beat?.progress.part?.names[beat.progress.part.index] === 'calibration'),
  );
  t.true(calibrating.length > 5);
  for (const { secondsLeft = 0 } of calibrating) t.true(secondsLeft > 0.5, `${secondsLeft} s`);
});

const work = (id: string, queue: 'cpu' | 'gpu', seconds: number, ...before: string[]) => ({
  id,
  queue,
  seconds,
  before,
  isRunning: false,
});

test('a run takes its critical path where there is room, and the sum where there is one slot', (t) => {
  const works = [
    work('extract', 'cpu', 10),
    work('train:a', 'gpu', 50, 'extract'),
    work('train:b', 'gpu', 20, 'extract'),
    work('score:a', 'cpu', 5, 'train:a'),
    work('score:b', 'cpu', 30, 'train:b'),
    work('report', 'cpu', 1, 'score:a', 'score:b'),
  ];
  t.is(makespan(works, one), 116);
  t.is(makespan(works, { cpu: 2, gpu: 2 }), 10 + 50 + 5 + 1);
  t.is(makespan(works, { cpu: 2, gpu: 1 }), 10 + 50 + 20 + 30 + 1);
  const running = works.map((other) => ({ ...other, isRunning: other.id === 'extract' }));
  t.is(makespan(running, { cpu: 0, gpu: 0 }), makespan(works, { cpu: 1, gpu: 1 }));
});
