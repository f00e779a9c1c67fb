/** When a run will end: its DAG, what its stages took before, and how fast it goes now. */
import type { Plan, PlanNode } from '../../schemas/plan.ts';
import { nodesBefore } from '../../schemas/plan-inputs.ts';
import type { LastTimes } from './run-times.ts';
import type { NodeView, RunEstimate, RunSnapshot, Slots } from './run-view.ts';
import { overdue, StagePace, type StageTimes } from './stage-pace.ts';
import { typicalTimes } from './typical-times.ts';

interface Work {
  id: string;
  queue: 'cpu' | 'gpu';
  before: string[];
  seconds: number;
  isRunning: boolean;
}

/**
 * Seconds until all work is done, where it starts in the order of the list as soon as what it needs is done
 * and a slot is free. What is running goes first.
 */
export const makespan = (works: readonly Work[], { cpu, gpu, all }: Slots): number => {
  const room = { cpu: Math.max(1, cpu), gpu: Math.max(1, gpu) };
  const inAll = Math.max(1, all ?? room.cpu + room.gpu);
  const waiting = [...works].sort((a, b) => Number(b.isRunning) - Number(a.isRunning));
  const open = new Set(works.map(({ id }) => id));
  const busy: { work: Work; ends: number }[] = [];
  let now = 0;
  while (open.size > 0) {
    for (let i = 0; i < waiting.length; i++) {
      const work = waiting[i] as Work;
      const ofQueue = busy.filter((other) => other.work.queue === work.queue).length;
      const isFree = ofQueue < room[work.queue] && busy.length < inAll;
      if (!work.isRunning && (!isFree || work.before.some((id) => open.has(id)))) continue;
      busy.push({ work, ends: now + work.seconds });
      waiting.splice(i--, 1);
    }
    busy.sort((a, b) => a.ends - b.ends);
    const first = busy.shift();
    // A circle cannot be in a plan; what is stuck would never end.
    if (!first) return now;
    now = first.ends;
    open.delete(first.work.id);
  }
  return now;
};

/** Part of the work that must be over before stages that never ran are estimated at all. */
const leastMeasured = 0.1;
/** Weight of expected against measured seconds in the speed of a run, as a share of the whole run. */
const trust = 0.1;

const isOver = ({ state }: NodeView): boolean => state !== 'waiting' && state !== 'running';

const typicalOf = ({ id, stage }: Pick<NodeView, 'id' | 'stage'>): StageTimes | undefined =>
  typicalTimes[id] ?? (stage === 'train' || stage === 'generate' ? undefined : typicalTimes[stage]);

/** Measured over expected seconds, as if `prior` more seconds had taken what was expected. */
const ratio = (pairs: readonly (readonly [number, number])[], prior = 0): number | undefined => {
  const measured = pairs.reduce((sum, [seconds]) => sum + seconds, 0);
  const expected = pairs.reduce((sum, [, seconds]) => sum + seconds, 0);
  return expected + prior > 0 ? (measured + prior) / (expected + prior) : undefined;
};

/** Keeps the paces of a run's nodes from one snapshot to the next. */
export class RunEstimator {
  readonly #plan: Map<string, PlanNode>;
  readonly #last: ReadonlyMap<string, LastTimes>;
  readonly #paces = new Map<string, StagePace>();
  readonly #since = new Map<string, number>();

  constructor(plan: Plan, last: ReadonlyMap<string, LastTimes>) {
    this.#plan = new Map(plan.nodes.map((node) => [node.id, node]));
    this.#last = last;
  }

  /**
   * The snapshot with the time left of each running node and of the run. `finished`: seconds that nodes took,
   * by id; `now` in milliseconds. Nodes of another plan than that of the constructor get no estimate.
   */
  add(snapshot: RunSnapshot, finished: ReadonlyMap<string, number>, slots: Slots, now: number): RunSnapshot {
    for (const node of snapshot.nodes) this.#take(node, now);
    if (snapshot.state !== 'running' || snapshot.nodes.length === 0) return snapshot;
    const expect = this.#expectations(snapshot, finished);
    const left = new Map<string, number | undefined>();
    for (const node of snapshot.nodes) left.set(node.id, this.#left(node, expect(node), now));
    const nodes = snapshot.nodes.map((node) =>
      node.state === 'running' && !node.unclaimed && node.beat
        ? { ...node, secondsLeft: left.get(node.id) }
        : node,
    );
    const open = nodes.filter((node) => !isOver(node));
    const isKnown = (node: NodeView) => this.#last.has(node.id) || this.#isMeasured(node);
    const unknown = open.filter((node) => !isKnown(node)).map(({ id }) => id);
    const none = { ...snapshot, nodes, estimate: { basis: 'none' as const, unknown, slots } };
    const works: Work[] = [];
    for (const node of open) {
      const planned = this.#plan.get(node.id);
      const seconds = left.get(node.id);
      if (!planned || seconds === undefined) return none;
      const isRunning = node.state === 'running' && !node.unclaimed;
      const { queue } = planned.policy;
      works.push({ id: node.id, queue, before: nodesBefore(planned), seconds, isRunning });
    }
    const byGuess = unknown.reduce((sum, id) => sum + (left.get(id) ?? 0), 0);
    const measured = this.#measuredSeconds(snapshot, finished, now);
    if (byGuess > 0 && measured < leastMeasured * (measured + byGuess)) return none;
    const secondsLeft = makespan(works, slots);
    const estimate: RunEstimate = {
      secondsLeft: Math.round(secondsLeft),
      ends: new Date(now + 1000 * secondsLeft).toISOString(),
      done: snapshot.seconds / Math.max(1e-9, snapshot.seconds + secondsLeft),
      basis: unknown.length > 0 ? 'rough' : 'measured',
      unknown,
      slots,
    };
    return { ...snapshot, nodes, estimate };
  }

  #take({ id, state, unclaimed, startedAt, beat }: NodeView, now: number): void {
    if (state !== 'running' || unclaimed) this.#since.delete(id);
    else if (!this.#since.has(id)) this.#since.set(id, startedAt ?? now);
    if (!beat) return;
    const pace = this.#paces.get(id) ?? new StagePace();
    pace.add(beat.at, beat.progress);
    this.#paces.set(id, pace);
  }

  #isMeasured({ id, state }: NodeView): boolean {
    return state === 'running' && this.#paces.get(id)?.isMeasured === true;
  }

  #measuredSeconds({ nodes }: RunSnapshot, finished: ReadonlyMap<string, number>, now: number): number {
    return nodes.reduce((sum, node) => {
      const since = this.#since.get(node.id);
      const running = node.state === 'running' && since !== undefined ? (now - since) / 1000 : 0;
      return sum + (finished.get(node.id) ?? 0) + running;
    }, 0);
  }

  /** What each node is expected to take; undefined where nothing like it is known. */
  #expectations({ nodes }: RunSnapshot, finished: ReadonlyMap<string, number>) {
    const patients = Number(
      nodes.find(({ stage }) => stage === 'assemble')?.result?.summary['patients'] ?? 0,
    );
    const lastOf = ({ id }: NodeView): StageTimes | undefined => {
      const last = this.#last.get(id);
      return last && scaled(last, patients > 0 && last.patients ? patients / last.patients : 1);
    };
    const pairsOf = (of: readonly NodeView[], times: (node: NodeView) => StageTimes | undefined) =>
      of.flatMap((node) => {
        const [seconds, expected] = [finished.get(node.id), times(node)?.seconds];
        return seconds !== undefined && expected !== undefined ? [[seconds, expected] as const] : [];
      });
    const all = nodes.reduce((sum, node) => sum + (lastOf(node)?.seconds ?? 0), 0);
    const speed = ratio(pairsOf(nodes, lastOf), trust * all) ?? 1;
    const roughSpeed = ratio(pairsOf(nodes, typicalOf));
    return (node: NodeView): StageTimes | undefined => {
      const last = lastOf(node);
      if (last) return scaled(last, speed);
      const typical = typicalOf(node);
      const alike = nodes.filter(({ stage }) => stage === node.stage);
      const rough = ratio(pairsOf(alike, typicalOf)) ?? roughSpeed;
      return typical && rough !== undefined ? scaled(typical, rough) : undefined;
    };
  }

  #left(node: NodeView, times: StageTimes | undefined, now: number): number | undefined {
    if (isOver(node)) return 0;
    if (node.state === 'waiting' || node.unclaimed) return times?.seconds;
    const since = this.#since.get(node.id);
    const silent = since === undefined ? 0 : (now - since) / 1000;
    const pace = node.beat && this.#paces.get(node.id);
    if (pace) return pace.secondsLeft(now, times ?? typicalOf(node), times !== undefined);
    return times && Math.max(times.seconds - silent, overdue * silent);
  }
}

const scaled = ({ seconds, parts }: StageTimes, factor: number): StageTimes => ({
  seconds: seconds * factor,
  parts: parts && Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, value * factor])),
});
