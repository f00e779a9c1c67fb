import { GeneratedPatients } from '../../../generation/generated-patients.ts';
import {
  type ConditionalScores,
  drawnLabel,
  type Imputation,
  type ImputeRequest,
  type SampleRequest,
  type Sampler,
} from '../../../generation/generator.ts';
import type { AsyncSteps } from '../../../kernel/steps.ts';
import {
  type Demographic,
  patientCount,
  selectPatients,
  type VisitColumns,
  VisitColumnsBuilder,
} from '../../../patients/visit-columns.ts';
import type { PromptArchitecture } from '../network/architecture.ts';
import type { PromptNetwork } from '../network/network.ts';
import type { PromptModel } from '../records/prompt-model.ts';
import { conditionalByNetwork, scoringRun } from './conditional.ts';
import { type PromptSampling, promptSampling } from './decoding.ts';
import { imputeByNetwork, imputingRun } from './impute.ts';
import { coldStart, warmStart } from './record-plans.ts';
import type { SampledFacts } from './sample-facts.ts';
import { writeRecords } from './write-records.ts';

/**
 * Patients sampled together: with 64, block b is patients 64b … 64b+63. Products of matrices round
 * differently for different numbers of rows; with fixed blocks a patient does not depend on how many were
 * requested. A wide model has small blocks, so that a worker can report between two: 256 up to a width of
 * 192, 64 at BART-base's 768.
 */
export const patientBlock = ({ width }: Pick<PromptArchitecture, 'width'>): number =>
  Math.max(16, Math.min(256, 2 ** Math.floor(Math.log2(49152 / width))));

/** Rows `from` … of what is requested of `count` patients, and open rows for the others of `size`. */
const widened = (
  { labels, demographics, count }: SampleRequest,
  from: number,
  size: number,
): Pick<SampleRequest, 'labels' | 'demographics'> => {
  const rows = Array.from({ length: size }, (_, i) => (i + from >= 0 && i + from < count ? i + from : -1));
  const wide = (labels?.length ?? 0) / count;
  const factAt = (fact: Demographic): Demographic =>
    fact.kind === 'numeric'
      ? { kind: 'numeric', values: Float32Array.from(rows, (row) => fact.values[row] ?? Number.NaN) }
      : { ...fact, values: Int32Array.from(rows, (row) => fact.values[row] ?? -1) };
  return {
    labels:
      labels &&
      Uint8Array.from({ length: size * wide }, (_, i) => {
        const row = rows[Math.floor(i / wide)] as number;
        return row < 0 ? drawnLabel : (labels[row * wide + (i % wide)] as number);
      }),
    demographics:
      demographics &&
      Object.fromEntries(Object.entries(demographics).map(([name, fact]) => [name, factAt(fact)])),
  };
};

/** Records and facts as columns. A visit without codes is left out. */
const columnsOf = (records: readonly number[][][], { labels, demographics }: SampledFacts): VisitColumns => {
  const builder = new VisitColumnsBuilder();
  const wide = labels.length / Math.max(1, records.length);
  for (const [i, visits] of records.entries())
    builder.addPatient(
      visits.filter((codes) => codes.length > 0),
      labels.subarray(i * wide, (i + 1) * wide),
    );
  return { ...builder.build(), ...(Object.keys(demographics).length > 0 && { demographics }) };
};

/**
 * Samples records from a PromptEHR network: unconditionally, unless the request brings real patients as
 * seeds. With seeds only the requested patients of a block are sampled: requests along block borders give the
 * same patients.
 */
export class PromptSampler implements Sampler {
  readonly block: number;
  readonly #network: PromptNetwork;
  readonly #model: PromptModel;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(network: PromptNetwork, model: PromptModel) {
    this.#network = network;
    this.#model = model;
    this.block = patientBlock(model.architecture);
  }

  get features(): NonNullable<Sampler['features']> {
    const { numeric, categorical } = this.#model.features;
    return Object.fromEntries([
      ...numeric.map(({ name }) => [name, 'numeric'] as const),
      ...categorical.map(({ name, levels }) => [name, levels] as const),
    ]);
  }

  /** One request after the other: all share one device. */
  sample(request: SampleRequest): Promise<VisitColumns> {
    return this.#inTurn(() => this.#sample(request));
  }

  conditional(columns: VisitColumns): AsyncSteps<ConditionalScores> {
    return conditionalByNetwork(scoringRun({ ...this.#queryRun, columns }));
  }

  impute(request: ImputeRequest): AsyncSteps<Imputation> {
    return imputeByNetwork(imputingRun(this.#queryRun, request), request);
  }

  get #queryRun() {
    const inTurn = <T>(work: () => Promise<T>) => this.#inTurn(work);
    return { network: this.#network, model: this.#model, inTurn };
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #sample(request: SampleRequest): Promise<VisitColumns> {
    const { first, count, seeds } = request;
    const sampling = promptSampling.parse(request.sampling ?? {});
    const sampled = new GeneratedPatients();
    const [end, size] = [first + count, this.block];
    for (let block = Math.floor(first / size) * size; block < end; block += size) {
      const [from, to] = [Math.max(block, first), Math.min(block + size, end)];
      const wanted = Array.from({ length: to - from }, (_, i) => from + i);
      const columns = seeds
        ? await this.#warm(
            request,
            sampling,
            selectPatients(
              seeds,
              wanted.map((patient) => patient - first),
            ),
            from,
          )
        : selectPatients(
            await this.#cold(request, sampling, block),
            wanted.map((patient) => patient - block),
          );
      sampled.append(columns);
    }
    return sampled.columns;
  }

  /** A whole block. */
  async #cold(request: SampleRequest, sampling: PromptSampling, block: number): Promise<VisitColumns> {
    const requested = widened(request, block - request.first, this.block);
    const { seed } = request;
    const whole = { first: block, count: this.block, seed, ...requested };
    const { facts, plan } = coldStart(this.#model, sampling, whole);
    const at = { seed, first: block };
    return columnsOf(await writeRecords(this.#network, this.#model, sampling, plan, at), facts);
  }

  async #warm(
    { seed }: SampleRequest,
    sampling: PromptSampling,
    seeds: VisitColumns,
    first: number,
  ): Promise<VisitColumns> {
    const at = { seed, first };
    const { facts, plan } = warmStart(this.#model, seeds, at);
    if (patientCount(seeds) === 0) return columnsOf([], facts);
    return columnsOf(await writeRecords(this.#network, this.#model, sampling, plan, at), facts);
  }

  dispose(): void {
    this.#network.dispose();
  }
}
