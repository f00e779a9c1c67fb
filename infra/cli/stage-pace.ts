import type { Progress } from '../../schemas/progress.ts';

const windowMs = 60_000;

/**
 * How fast one part of a stage goes, by its heartbeats of the last minute. Forgets all when the work starts
 * over.
 */
class Pace {
  #samples: { at: number; share: number }[] = [];

  add(at: number, share: number): void {
    const last = this.#samples.at(-1);
    if (last && at <= last.at) return;
    if (last && share < last.share) this.#samples = [];
    this.#samples.push({ at, share });
    // Two samples are kept however old: a slow node beats less than once a minute.
    while (this.#samples.length > 2 && (this.#samples[1]?.at ?? 0) < at - windowMs) this.#samples.shift();
  }

  /**
   * Seconds that the rest takes at this pace, from the last heartbeat on; undefined until there is a pace.
   */
  get secondsLeft(): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || last.share <= first.share) return undefined;
    return ((last.at - first.at) * (1 - last.share)) / (last.share - first.share) / 1000;
  }
}

/** What a stage takes: seconds in all, and those of its parts by name. */
export interface StageTimes {
  seconds: number;
  parts?: Record<string, number>;
}

/** A stage without parts has one. */
const whole = 'all';
/** Weight of what is expected against what is measured, as a share of all the work. */
const trust = 0.1;
/** A part that went so much faster than expected came from the cache: no measure of speed. */
const cachedBelow = 0.02;
/** What takes longer than expected is expected to take so much of its time again. */
export const overdue = 0.2;

/**
 * Seconds each part is expected to take, in order. A part that is not known gets the median of those that
 * are; without any, all are alike.
 */
const weightsOf = (names: readonly string[], { seconds, parts = {} }: StageTimes): number[] => {
  if (names.length === 1) return [seconds];
  const known = names.map((name) => parts[name]).filter((value) => value !== undefined);
  if (known.length === 0) return names.map(() => seconds / names.length);
  const median = known.sort((a, b) => a - b)[known.length >> 1] as number;
  return names.map((name) => parts[name] ?? median);
};

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/**
 * Time left of one running stage: parts to come by what they are expected to take and by how fast the parts
 * before went, the present part also by its own pace.
 */
export class StagePace {
  #names: readonly string[] = [];
  #index = 0;
  #share = 0;
  #at = 0;
  #partSince = 0;
  #pace = new Pace();
  /** Seconds that parts took of which beginning and end were seen. */
  readonly #measured = new Map<number, number>();

  /** `at` in milliseconds, of the heartbeat itself; the same heartbeat may be added many times. */
  add(at: number, { step, of, part }: Progress): void {
    if (at <= this.#at) return;
    const { names, index, share } = part ?? { names: [whole], index: 0, share: Math.min(1, step / of) };
    const isOther = names.join() !== this.#names.join();
    // A sign of life between two safe points: nothing was done since.
    if (!isOther && index === this.#index && share === this.#share) return;
    const startsOver = isOther || index < this.#index || (index === this.#index && share < this.#share);
    if (startsOver) {
      this.#measured.clear();
      this.#pace = new Pace();
      // A command that joins in the middle of a part does not know when it began.
      this.#partSince = share < 0.1 ? at : Number.NaN;
    } else if (index > this.#index) {
      // Parts between two heartbeats share the time; the one before has most of it.
      if (Number.isFinite(this.#partSince)) this.#measured.set(this.#index, (at - this.#partSince) / 1000);
      this.#partSince = at;
      this.#pace = new Pace();
    }
    this.#names = names;
    this.#index = index;
    this.#share = share;
    this.#at = at;
    this.#pace.add(at, share);
  }

  /** True once its own pace says something about its end: within a part, or by parts that are over. */
  get isMeasured(): boolean {
    return this.#pace.secondsLeft !== undefined || this.#measured.size > 0;
  }

  /**
   * Seconds until the stage ends, as seen at `now`, by what it is expected to take; `isKnown`: not only its
   * proportions count. Undefined until anything is known. Never 0 while work is left: what takes longer than
   * expected is expected to take another fifth of its silence.
   */
  secondsLeft(now: number, expected?: StageTimes, isKnown = expected !== undefined): number | undefined {
    if (this.#names.length === 0) return expected?.seconds;
    const weights = weightsOf(this.#names, expected ?? { seconds: this.#names.length });
    const speed = this.#speed(weights, isKnown);
    const current = this.#leftOfPart(weights[this.#index] as number, speed, isKnown);
    if (current === undefined) return undefined;
    const later = total(weights.slice(this.#index + 1));
    if (later > 0 && speed === undefined) return undefined;
    const silent = Math.max(0, now - this.#at) / 1000;
    const left = current + later * (speed ?? 0);
    return current === 0 && later === 0 ? 0 : Math.max(left - silent, overdue * silent);
  }

  /**
   * Seconds since the present part began, at its last heartbeat; undefined where its beginning was not seen.
   */
  get #inPart(): number | undefined {
    return Number.isFinite(this.#partSince) ? (this.#at - this.#partSince) / 1000 : undefined;
  }

  /**
   * Measured against expected seconds of the parts that are over, before the first one is of its share so
   * far; undefined without a measure. `isKnown`: what is expected is worth something by itself.
   */
  #speed(weights: readonly number[], isKnown: boolean): number | undefined {
    let measured = 0;
    let expected = 0;
    const count = (seconds: number, weight: number) => {
      if (weight === 0 || seconds < cachedBelow * weight) return;
      measured += seconds;
      expected += weight;
    };
    for (const [index, seconds] of this.#measured) count(seconds, weights[index] ?? 0);
    if (expected === 0 && !isKnown) count(this.#inPart ?? 0, (weights[this.#index] ?? 0) * this.#share);
    const prior = isKnown ? trust * total(weights) : 0;
    return expected + prior > 0 ? (measured + prior) / (expected + prior) : undefined;
  }

  /** Steps of one part may differ in cost, too: its pace counts the more, the more of it is done. */
  #leftOfPart(weight: number, speed: number | undefined, isKnown: boolean): number | undefined {
    if (this.#share === 1) return 0;
    const byPace = this.#pace.secondsLeft;
    if (speed === undefined || (byPace !== undefined && !isKnown)) return byPace;
    const elapsed = this.#inPart ?? this.#share * weight * speed;
    const byTime = Math.max(weight * speed - elapsed, overdue * elapsed * (1 - this.#share));
    if (byPace === undefined) return byTime;
    // What has taken as long as expected and goes on shows that the expectation was wrong.
    const trusted = Math.min(1, Math.max(this.#share, elapsed / (weight * speed))) ** 2;
    return trusted * byPace + (1 - trusted) * byTime;
  }
}
