import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import type { PatientScores, SampleRequest, Sampler } from '../../../generation/generator.ts';
import { exclusiveGroups } from '../../../generation/sample-values.ts';
import { RandomSource } from '../../../kernel/random.ts';
import type { AsyncSteps } from '../../../kernel/steps.ts';
import { attendNext, freeCache, type KeysValues, selectCache } from '../../../nn/layers/attention.ts';
import { gelu, layerNorm, linear } from '../../../nn/layers/layers.ts';
import type { Tensor } from '../../../nn/ops/ops.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../../../patients/visit-columns.ts';
import { type Layout, labelTokens, layoutOf } from '../network/architecture.ts';
import type { HaloNetwork } from '../network/network.ts';
import { LabelCompletion } from './complete-labels.ts';
import { type BlockTriangles, drawColumns, trianglesOf } from './sample-columns.ts';
import { scorePatients } from './score.ts';

/**
 * Patients drawn together: block b is patients 256b … 256b+255, always all of them. Products of matrices round
 * differently for different numbers of rows; with fixed blocks a patient never depends on how many were asked for.
 */
export const patientBlock = 256;

/** Columns per block of the head when sampling: the work inside a block is ours, between blocks the device's. */
export const samplingColumns = 256;

/** Per code the group of which a visit has at most one (-1: none); undefined where no code has one. */
export const groupsOf = (vocabulary: Vocabulary): Int32Array | undefined => {
  const groups = exclusiveGroups(vocabulary);
  return groups.some((group) => group >= 0) ? groups : undefined;
};

/** A record as it was drawn: the sets of its positions, start and end tokens included. */
export type DrawnRecord = ArrayLike<number>[];

/** Draws records from a HALO network whose head has blocks of `samplingColumns`. */
export class HaloSampler implements Sampler {
  readonly block = patientBlock;
  readonly #network: HaloNetwork;
  readonly #layout: Layout;
  readonly #triangles: BlockTriangles[];
  readonly #groups: Int32Array | undefined;
  readonly #labels: LabelCompletion;
  #turn: Promise<unknown> = Promise.resolve();

  /** `groups` as `groupsOf` gives them. */
  constructor(network: HaloNetwork, groups?: Int32Array) {
    this.#network = network;
    this.#groups = groups;
    this.#labels = new LabelCompletion(network);
    this.#layout = layoutOf(network.architecture);
    this.#triangles = trianglesOf(network.ops, network.head);
  }

  /** One request after the other: all share one device. */
  sample(request: SampleRequest): Promise<VisitColumns> {
    return this.#inTurn(() => this.#sample(request));
  }

  score(columns: VisitColumns): AsyncSteps<PatientScores> {
    const network = this.#network;
    return scorePatients(network.architecture, columns, (batch) => this.#inTurn(() => network.logits(batch)));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #sample({ first, count, seed, labels }: SampleRequest): Promise<VisitColumns> {
    const { codes, labels: labelCount, start } = this.#layout;
    const builder = new VisitColumnsBuilder();
    const end = first + count;
    const given = labels && (await this.#labels.complete(labels, first, seed));
    for (let block = Math.floor(first / patientBlock); block * patientBlock < end; block++) {
      const records = await this.drawBlock(block, seed, (patient) =>
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
  async drawBlock(
    block: number,
    seed: number,
    labelsOf: (patient: number) => Uint8Array | undefined = () => undefined,
  ): Promise<DrawnRecord[]> {
    const { maxVisits } = this.#network.architecture;
    const { end, start } = this.#layout;
    const random = new RandomSource(seed, 'patients');
    const records: DrawnRecord[] = Array.from({ length: patientBlock }, () => [[start]]);
    let alive = records.map((_, i) => i);
    let caches: KeysValues[] = [];
    for (let position = 0; alive.length > 0 && position <= maxVisits; position++) {
      const patients = alive.map((i) => block * patientBlock + i);
      // Before the labels all patients are alike: one history serves them all.
      const alike = position === 0;
      const inputs = (alike ? [0] : alive).map((i) => records[i]?.[position] as ArrayLike<number>);
      const drawn = await this.#drawPosition(inputs, patients, position, caches, random, labelsOf);
      caches = drawn.caches;
      const going: number[] = [];
      drawn.sets.forEach((set, row) => {
        const i = alive[row] as number;
        records[i]?.push(set);
        if (!set.includes(end)) going.push(row);
      });
      const rows = alike ? going.map(() => 0) : going;
      if (alike || going.length < alive.length) caches = this.#select(caches, rows);
      alive = going.map((row) => alive[row] as number);
    }
    for (const cache of caches) freeCache(this.#network.ops, cache);
    return records;
  }

  /** Labels at position 1 where they are not given, codes and the end token later. */
  #allowed(position: number): Uint8Array {
    const { codes, start, end, width } = this.#layout;
    const allowed = new Uint8Array(width);
    if (position === 1) return allowed.fill(1, codes, start);
    allowed[end] = 1;
    return allowed.fill(1, 0, codes);
  }

  /** Sets at `position` → sets at `position + 1`, for the patients still alive. */
  #drawPosition(
    inputs: readonly ArrayLike<number>[],
    patients: readonly number[],
    position: number,
    past: readonly KeysValues[],
    random: RandomSource,
    labelsOf: (patient: number) => Uint8Array | undefined,
  ): Promise<{ sets: number[][]; caches: KeysValues[] }> {
    const { ops, head, pace } = this.#network;
    return ops.scope(async () => {
      const { histories, caches } = await this.#histories(inputs, position, past);
      const { width } = this.#layout;
      const allowed = this.#allowed(position + 1);
      const given = patients.map((patient) => (position === 0 ? labelsOf(patient) : undefined));
      // Uniforms are addressed by (seed, patient, position, column): nothing else decides a draw.
      const uniformsOf = (row: number): Float64Array => {
        const uniforms = new Float64Array(width);
        const from = allowed.indexOf(1);
        const to = allowed.lastIndexOf(1) + 1;
        random.fill(uniforms.subarray(from), from, to, patients[row] as number, position + 1);
        return uniforms;
      };
      const drawn = given.every((labels) => labels !== undefined)
        ? given.map(() => [])
        : await drawColumns(
            ops,
            head,
            this.#triangles,
            { histories, patients: patients.length, uniformsOf, allowed, groups: this.#groups },
            pace,
          );
      const sets = drawn.map((set, row) => {
        const labels = given[row];
        return labels ? labelTokens(this.#layout, labels) : set;
      });
      return { sets, caches };
    });
  }

  /** One more position through the transformer: [N] sets → [N, E]. */
  async #histories(
    inputs: readonly ArrayLike<number>[],
    position: number,
    past: readonly KeysValues[],
  ): Promise<{ histories: Tensor; caches: KeysValues[] }> {
    const { ops, transformer, pace, architecture } = this.#network;
    const tokens = inputs.flatMap((set) => Array.from(set));
    const rows = inputs.flatMap((set, row) => Array.from(set, () => row));
    const embedded = ops.segmentSum(
      transformer.tokens,
      ops.uploadIndices(Int32Array.from(tokens)),
      ops.uploadIndices(Int32Array.from(rows)),
      inputs.length,
    ); // [N, E]
    const place = ops.slice(transformer.positions, [position, 0], [1, architecture.embedding]); // [1, E]
    let x = ops.add(embedded, place);
    const caches: KeysValues[] = [];
    for (const [layer, block] of transformer.blocks.entries()) {
      const input = x;
      x = ops.tidy(() => {
        const normal = layerNorm(ops, block.attentionNorm, input).out;
        const seen = attendNext(ops, block.attention, normal, past[layer]);
        caches.push(seen.cache);
        const middle = ops.add(input, seen.out);
        const bent = gelu(ops, linear(ops, block.expand, layerNorm(ops, block.feedNorm, middle).out)).out;
        return ops.add(middle, linear(ops, block.contract, bent));
      });
      await pace.rest();
    }
    return { histories: layerNorm(ops, transformer.finalNorm, x).out, caches };
  }

  #select(caches: readonly KeysValues[], rows: readonly number[]): KeysValues[] {
    const { ops } = this.#network;
    return ops.scope(() => {
      const chosen = ops.uploadIndices(Int32Array.from(rows));
      return caches.map((cache) => selectCache(ops, cache, chosen));
    });
  }

  dispose(): void {
    this.#network.dispose();
  }
}

/** The visits' codes. A visit that drew none is left out, as the reference does (docs/reference-code.md). */
const visitsOf = (sets: DrawnRecord, codes: number): number[][] =>
  sets
    .slice(2)
    .map((set) => Array.from(set).filter((token) => token < codes))
    .filter((visit) => visit.length > 0);
