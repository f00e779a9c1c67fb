import { randomBytes } from 'node:crypto';
import { failures } from '../../schemas/errors.ts';
import type { NodeStatus, Progress } from '../../schemas/progress.ts';
import { isFailureCode } from './failure-report.ts';

export const runStates = ['running', 'completed', 'failed', 'canceled', 'terminated', 'timed-out'] as const;
export type RunState = (typeof runStates)[number];

/** A node with its last heartbeat. */
export interface NodeView extends NodeStatus {
  /** The last heartbeat, and its time (milliseconds). */
  beat?: { at: number; progress: Progress };
  /** True while no worker of its queue has taken it. */
  unclaimed?: boolean;
  /** When this try began (milliseconds). */
  startedAt?: number;
  /** Seconds until it ends, while it runs and that is known. */
  secondsLeft?: number;
  /** Which try it is, from 1. */
  attempt?: number;
  /** Why the try before this one ended. */
  lastFailure?: string;
}

/** How many stages are worked on at once: in all, or by queue. */
export interface Slots {
  cpu: number;
  gpu: number;
  /** Of both queues together; absent: no other limit. */
  all?: number;
  /** Why, where that is not known: a sentence. */
  assumed?: string;
}

export interface RunEstimate {
  /** Seconds until the end; absent where no estimate can be given. */
  secondsLeft?: number;
  /** When that is: ISO, UTC. */
  ends?: string;
  /** Share of the time that is over. */
  done?: number;
  /**
   * measured: every stage that is left has run before on this store or is running; rough: some by what they
   * take on the demo, at the pace of this run; none: no estimate.
   */
  basis: 'measured' | 'rough' | 'none';
  /** Nodes that have not run before. */
  unknown: string[];
  slots: Slots;
}

/** A run at one moment. */
export interface RunSnapshot {
  run: string;
  state: RunState;
  started: string;
  seconds: number;
  nodes: NodeView[];
  /** Why the nodes are not known, or what is in the way. */
  note?: string;
  failure?: { code: string; message: string };
  /** When it will end, while it runs. */
  estimate?: RunEstimate;
}

/** An id that people can read and that no other run has: `nightly-20261121-084512-3f9a`. Time is UTC. */
export const runId = (name: string, now: Date): string => {
  const [day, time] = now.toISOString().replaceAll(/[-:]/g, '').split(/[T.]/);
  const words = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 60);
  return `${words || 'run'}-${day}-${time}-${randomBytes(2).toString('hex')}`;
};

/** 8 s, 3 min 20 s, 2 h 5 min. */
export const durationText = (seconds: number): string => {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min${whole % 60 ? ` ${whole % 60} s` : ''}`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
};

/** Four significant digits, whole numbers in full. */
export const numberText = (value: number): string =>
  Number.isInteger(value) ? value.toLocaleString('en-US') : String(Number(value.toPrecision(4)));

const bar = (share: number, width: number): string => {
  const full = Math.round(Math.min(1, share) * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
};

const progressText = ({ step, of, phase, metrics }: Progress, left: number | undefined): string =>
  [
    `${Math.floor((100 * step) / of)} %`,
    `${numberText(step)}/${numberText(of)}`,
    phase,
    ...Object.entries(metrics ?? {}).map(([name, value]) => `${name} ${numberText(value)}`),
    // Work that goes on is never at its end.
    left === undefined ? undefined : `${durationText(step < of ? Math.max(1, left) : left)} left`,
  ]
    .filter(Boolean)
    .join(' · ');

const summaryText = ({ verdict: _verdict, ...summary }: Record<string, number | string>): string =>
  Object.entries(summary)
    .slice(0, 4)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? numberText(value) : value}`)
    .join(' · ');

/**
 * The state of a node in words: one that no worker has taken yet is queued, which the plan's own state does
 * not show.
 */
export const stateText = ({ state, unclaimed }: NodeView): string =>
  state === 'running' && unclaimed ? 'queued' : state;

/** The text of one node beside its name and state. */
export const nodeText = (node: NodeView, barWidth = 0): string => {
  const tries = (node.attempt ?? 1) > 1 ? `attempt ${node.attempt}` : undefined;
  const again = tries && node.lastFailure ? `${tries} after ${node.lastFailure}` : tries;
  switch (node.state) {
    case 'running': {
      const { progress } = node.beat ?? {};
      const picture = progress && barWidth > 0 ? bar(progress.step / progress.of, barWidth) : undefined;
      const idle = node.unclaimed ? `waits for a worker of queue ${node.queue}` : 'no heartbeat yet';
      const doing = progress && !node.unclaimed ? progressText(progress, node.secondsLeft) : idle;
      return [picture, doing, again && `(${again})`].filter(Boolean).join(' ');
    }
    case 'done':
      return summaryText(node.result?.summary ?? {});
    case 'cached':
      return node.result?.why ?? '';
    case 'failed':
      return node.failure ? `${node.failure.code}: ${node.failure.message}` : '';
    default:
      return '';
  }
};

/** The report's sentence on the release of the cohorts, once there is a report. */
export const verdictOf = ({ nodes }: Pick<RunSnapshot, 'nodes'>): string | undefined => {
  const sentence = nodes.find(({ stage }) => stage === 'report')?.result?.summary['verdict'];
  return sentence === undefined ? undefined : String(sentence);
};

/** What helps against a failure of this code. */
export const hintFor = (code: string | undefined): string | undefined =>
  isFailureCode(code) ? failures[code].hint : undefined;

const clock = (iso: string): string => iso.slice(11, 16);

/** When a run will end, in a sentence; undefined where that is no question any more or not yet one. */
export const estimateText = ({ state, estimate, nodes }: RunSnapshot): string | undefined => {
  if (state !== 'running' || !estimate) return undefined;
  const { secondsLeft, ends, done, unknown, slots } = estimate;
  const never = unknown.length === 1 ? '1 stage has' : `${unknown.length} stages have`;
  if (secondsLeft === undefined || ends === undefined)
    return unknown.length > 0
      ? `no estimate yet: ${never} not run before (${unknown.slice(0, 3).join(', ')}${unknown.length > 3 ? ', …' : ''})`
      : 'no estimate yet';
  const day = ends.slice(0, 10) === new Date().toISOString().slice(0, 10) ? '' : `${ends.slice(0, 10)} `;
  const rough = unknown.length > 0 ? `; rough, as ${never} not run before` : '';
  const assumed = slots.assumed ? `; ${slots.assumed}` : '';
  const waits = nodes.some(({ unclaimed }) => unclaimed) && slots.assumed ? ' once a worker is up' : '';
  return `${Math.floor(100 * (done ?? 0))} % of the time, about ${durationText(secondsLeft)} left${waits}, until ${day}${clock(ends)} UTC${rough}${assumed}`;
};

/** First line of every picture of a run. */
export const headline = ({ run, state, seconds, nodes }: RunSnapshot): string => {
  const over = nodes.filter((node) => node.state === 'done' || node.state === 'cached').length;
  const count = nodes.length > 0 ? `, ${over} of ${nodes.length} nodes` : '';
  return `${run}: ${state}, ${durationText(seconds)}${count}`;
};

/** A run as lines, one per node; bars where the terminal is wide. `width` 0 cuts nothing. */
export const runLines = (snapshot: RunSnapshot, width = 0): string[] => {
  const names = Math.max(0, ...snapshot.nodes.map(({ id }) => id.length));
  const lines = [headline(snapshot)];
  const estimate = estimateText(snapshot);
  if (estimate) lines.push(`  ${estimate}`);
  if (snapshot.note) lines.push(`  ${snapshot.note}`);
  for (const node of snapshot.nodes) {
    const text = nodeText(node, width >= 100 ? 20 : 0);
    lines.push(`  ${stateText(node).padEnd(7)}  ${node.id.padEnd(names)}  ${text.split('\n')[0]}`.trimEnd());
    const hint = node.state === 'failed' ? hintFor(node.failure?.code) : undefined;
    if (hint) lines.push(`${' '.repeat(names + 13)}→ ${hint}`);
  }
  if (snapshot.failure && !snapshot.nodes.some(({ state }) => state === 'failed'))
    lines.push(`  ${snapshot.failure.code}: ${snapshot.failure.message}`);
  return width > 0
    ? lines.map((line) => (line.length > width ? `${line.slice(0, width - 1)}…` : line))
    : lines;
};
