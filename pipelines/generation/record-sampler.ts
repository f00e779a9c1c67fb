/**
 * Sampling records set by set from an autoregressive model: the labels, then visit after visit until the end
 * token. N patients, W width of a set.
 */
import type { Vocabulary } from '../../schemas/vocabulary.ts';
import { RandomSource } from '../kernel/random.ts';
import type { AsyncSteps } from '../kernel/steps.ts';
import type { Ops, Tensor } from '../nn/ops/ops.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../patients/visit-columns.ts';
import { drawnLabel, type PatientScores, type SampleRequest, type Sampler } from './generator.ts';
import { type Layout, type LayoutSizes, labelTokens, layoutOf, type RecordSets } from './record-sets.ts';
import { exclusiveGroups } from './sample-values.ts';
import { scoreRecords } from './score-records.ts';

/**
 * Patients sampled together: block b is patients 256b … 256b+255, always all of them. Products of matrices
 * round differently for different numbers of rows; with fixed blocks a patient never depends on how many were
 * asked for.
 */
export const patientBlock = 256;

/**
 * Per column the group of which a set has at most one (-1: none): ranges of a lab test or gap, and columns of
 * a fact; undefined where no column has one.
 */
export const groupsOf = (vocabulary: Vocabulary, { facts, width }: Layout): Int32Array | undefined => {
  const ofCodes = exclusiveGroups(vocabulary);
  const groups = new Int32Array(width).fill(-1);
  groups.set(ofCodes);
  const first = ofCodes.reduce((most, group) => Math.max(most, group), -1) + 1;
  for (const [i, [from, end]] of facts.entries()) groups.fill(first + i, from, end);
  return groups.some((group) => group >= 0) ? groups : undefined;
};

/** What decides the next set of N patients. */
export interface SetDraw {
  patients: number;
  /** [W] 1 for the columns that can occur at this position; the others stay absent. */
  allowed: Uint8Array;
  /** Per column the group of which a visit has at most one, -1: none; absent where there are no groups. */
  groups?: Int32Array | undefined;
  /**
   * Patient's row → its uniforms of all columns [W]: a column is present where its uniform is below its
   * probability.
   */
  uniformsOf(row: number): Float64Array;
}

/** A model that samples records; S is what it keeps of the sets before, a row for each patient. */
export interface RecordModel<S> {
  readonly layout: Layout;
  /** Most visits of a record. */
  readonly maxVisits: number;
  /**
   * Reads the sets at `position` and samples those at `position + 1`; without a draw it only reads. One input
   * stands for all patients where all are alike. `state` is of the position before and is freed.
   */
  advance(
    inputs: readonly ArrayLike<number>[],
    position: number,
    state: S | undefined,
    draw: SetDraw | undefined,
  ): Promise<{ sets: number[][]; state: S }>;
  /** The state of these rows; the old one is freed. */
  select(state: S, rows: readonly number[]): S;
  free(state: S): void;
  /** [rows, W] of whole records, as scoreRecords wants them. */
  logits(records: readonly RecordSets[]): Promise<Float32Array>;
  /**
   * `[patients, labels]` with those that are left to the model sampled given the others; absent where labels
   * are independent.
   */
  completeLabels?(labels: Uint8Array, first: number, seed: number): Promise<Uint8Array>;
  dispose(): void;
}

/**
 * A network that gives the log-odds of all columns of the next set at once; S and what is of the same name as
 * in RecordModel.
 */
export interface SetNetwork<S> extends Pick<RecordModel<S>, 'select' | 'free' | 'logits' | 'dispose'> {
  readonly ops: Ops;
  readonly architecture: LayoutSizes & { maxVisits: number };
  /** Reads the sets at `position` → log-odds [N, W] of those at `position + 1`; of the open scope. */
  next(
    inputs: readonly ArrayLike<number>[],
    position: number,
    state: S | undefined,
  ): Promise<{ logits: Tensor; state: S }>;
}

/**
 * Samples a set for each patient from log-odds [N, W], or [1, W] for all, every column independent of the
 * others.
 */
const drawIndependent = (
  logits: Float32Array,
  { patients, allowed, groups, uniformsOf }: SetDraw,
): number[][] =>
  Array.from({ length: patients }, (_, patient) => {
    const width = allowed.length;
    const row = logits.length === width ? logits : logits.subarray(patient * width, (patient + 1) * width);
    const uniforms = uniformsOf(patient);
    const taken = new Set<number>();
    return [...row.keys()].filter((column) => {
      const group = groups?.[column] ?? -1;
      if (allowed[column] === 0 || taken.has(group)) return false;
      if ((uniforms[column] as number) >= 1 / (1 + Math.exp(-(row[column] as number)))) return false;
      if (group >= 0) taken.add(group);
      return true;
    });
  });

/** The sampler of every RecordModel. */
export class RecordSampler<S> implements Sampler {
  readonly block = patientBlock;
  readonly #model: RecordModel<S>;
  readonly #groups: Int32Array | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** `groups` as `groupsOf` gives them. */
  constructor(model: RecordModel<S>, groups?: Int32Array) {
    this.#model = model;
    this.#groups = groups;
  }

  /** One request after the other: all share one device. */
  sample(request: SampleRequest): Promise<VisitColumns> {
    return this.#inTurn(() => this.#sample(request));
  }

  score(columns: VisitColumns): AsyncSteps<PatientScores> {
    const { layout, maxVisits } = this.#model;
    return scoreRecords(layout, maxVisits, columns, (records) =>
      this.#inTurn(() => this.#model.logits(records)),
    );
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #sample({ first, count, seed, labels }: SampleRequest): Promise<VisitColumns> {
    const { codes, labels: labelCount, start } = this.#model.layout;
    const builder = new VisitColumnsBuilder();
    const end = first + count;
    const given = labels && ((await this.#model.completeLabels?.(labels, first, seed)) ?? labels);
    for (let block = Math.floor(first / patientBlock); block * patientBlock < end; block++) {
      const records = await this.sampleBlock(block, seed, (patient) =>
        given && patient >= first && patient < end
          ? given.subarray((patient - first) * labelCount, (patient - first + 1) * labelCount)
          : undefined,
      );
      for (const [i, sets] of records.entries()) {
        const patient = block * patientBlock + i;
        if (patient < first || patient >= end) continue;
        const present = new Uint8Array(labelCount);
        for (const token of Array.from(sets[1] ?? [])) if (token < start) present[token - codes] = 1;
        builder.addPatient(visitsOf(sets, codes), present);
      }
    }
    return builder.build();
  }

  /** The records of one block of patients. `labelsOf` gives the labels to condition on, if any. */
  async sampleBlock(
    block: number,
    seed: number,
    labelsOf: (patient: number) => Uint8Array | undefined = () => undefined,
  ): Promise<RecordSets[]> {
    const { maxVisits, layout } = this.#model;
    const { end, start } = layout;
    const random = new RandomSource(seed, 'patients');
    const records: ArrayLike<number>[][] = Array.from({ length: patientBlock }, () => [[start]]);
    let alive = records.map((_, i) => i);
    let state: S | undefined;
    for (let position = 0; alive.length > 0 && position <= maxVisits; position++) {
      const patients = alive.map((i) => block * patientBlock + i);
      // Before the labels all patients are alike: one row serves them all.
      const alike = position === 0;
      const inputs = (alike ? [0] : alive).map((i) => records[i]?.[position] as ArrayLike<number>);
      const given = alike ? patients.map(labelsOf) : [];
      const isGiven = alike && given.every((labels) => labels && !labels.includes(drawnLabel));
      const draw = isGiven ? undefined : this.#drawOf(position + 1, patients, random);
      const drawn = await this.#model.advance(inputs, position, state, draw);
      const going: number[] = [];
      for (const [row, i] of alive.entries()) {
        const set = withGiven(layout, drawn.sets[row] ?? [], given[row]);
        records[i]?.push(set);
        if (!set.includes(end)) going.push(row);
      }
      const rows = alike ? going.map(() => 0) : going;
      state = alike || going.length < alive.length ? this.#model.select(drawn.state, rows) : drawn.state;
      alive = going.map((row) => alive[row] as number);
    }
    if (state !== undefined) this.#model.free(state);
    return records;
  }

  /** Labels at position 1, codes and the end token later. */
  #drawOf(position: number, patients: readonly number[], random: RandomSource): SetDraw {
    const { codes, start, end, width } = this.#model.layout;
    const allowed = new Uint8Array(width);
    if (position === 1) allowed.fill(1, codes, start);
    else {
      allowed[end] = 1;
      allowed.fill(1, 0, codes);
    }
    const [from, to] = [allowed.indexOf(1), allowed.lastIndexOf(1) + 1];
    return {
      patients: patients.length,
      allowed,
      groups: this.#groups,
      // Uniforms are addressed by (seed, patient, position, column): nothing else decides a draw.
      uniformsOf: (row) => {
        const uniforms = new Float64Array(width);
        random.fill(uniforms.subarray(from), from, to, patients[row] as number, position);
        return uniforms;
      },
    };
  }

  dispose(): void {
    this.#model.dispose();
  }
}

/** The sampler of a network whose columns are independent given the sets before. */
export const independentSampler = <S>(network: SetNetwork<S>, vocabulary: Vocabulary): RecordSampler<S> => {
  const { ops, architecture } = network;
  const layout = layoutOf(architecture);
  const model: RecordModel<S> = {
    layout,
    maxVisits: architecture.maxVisits,
    advance: (inputs, position, before, draw) =>
      ops.scope(async () => {
        const { logits, state } = await network.next(inputs, position, before);
        return { sets: draw ? drawIndependent(ops.download(logits), draw) : [], state };
      }),
    select: (state, rows) => network.select(state, rows),
    free: (state) => network.free(state),
    logits: (records) => network.logits(records),
    dispose: () => network.dispose(),
  };
  return new RecordSampler(model, groupsOf(vocabulary, layout));
};

/** A set of labels with those that are asked for; other sets as they are. */
const withGiven = (layout: Layout, set: number[], given: Uint8Array | undefined): number[] =>
  given
    ? labelTokens(
        layout,
        given.map((label, i) => (label === drawnLabel ? Number(set.includes(layout.codes + i)) : label)),
      )
    : set;

/**
 * The visits' codes. A visit that sampled none is left out, as the reference does (docs/reference-code.md).
 */
const visitsOf = (sets: RecordSets, codes: number): number[][] =>
  sets
    .slice(2)
    .map((set) => Array.from(set).filter((token) => token < codes))
    .filter((visit) => visit.length > 0);
