import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import type { Checkpointable, NamedArray, Saved } from '../kernel/checkpointable.ts';
import { type Demographic, patientCount, type VisitColumns } from '../patients/visit-columns.ts';

/** Offsets of `next` moved to where `before` ends, without its leading zero. */
const joinOffsets = (before: Int32Array, next: Int32Array): Int32Array => {
  const base = before.at(-1) as number;
  const joined = new Int32Array(before.length + next.length - 1);
  joined.set(before);
  for (let i = 1; i < next.length; i++) joined[before.length + i - 1] = base + (next[i] as number);
  return joined;
};

const join = <A extends Float32Array | Int32Array | Uint8Array>(before: A, next: A): A => {
  const joined = new (before.constructor as new (length: number) => A)(before.length + next.length);
  joined.set(before);
  joined.set(next, before.length);
  return joined;
};

const joinFact = (name: string, before: Demographic, next: Demographic): Demographic => {
  if (before.kind === 'numeric' && next.kind === 'numeric')
    return { kind: 'numeric', values: join(before.values, next.values) };
  if (
    before.kind === 'categorical' &&
    next.kind === 'categorical' &&
    before.levels.join('\n') === next.levels.join('\n')
  )
    return { ...before, values: join(before.values, next.values) };
  throw new RangeError(
    `${name} has another kind or other levels in one batch of patients than in the one before`,
  );
};

type Facts = Record<string, Demographic>;

const joinFacts = (before: Facts, next: Facts): Facts =>
  Object.fromEntries(
    Object.entries(before).map(([name, fact]) => {
      const more = next[name];
      if (!more) throw new RangeError(`a batch of patients does not tell their ${name}, one before did`);
      return [name, joinFact(name, fact, more)];
    }),
  );

const noPatients = (): VisitColumns => ({
  visitOffsets: new Int32Array(1),
  codeOffsets: new Int32Array(1),
  codes: new Int32Array(0),
  labels: new Uint8Array(0),
});

/** In a checkpoint, what the arrays do not say: the levels of each categorical fact. */
const levelsJson = z.object({ levels: z.record(z.string(), z.array(z.string())).default({}) });
const factPrefix = 'demographic.';

/** Patients drawn so far, in order; what a generation puts away between two batches. */
export class GeneratedPatients implements Checkpointable {
  columns: VisitColumns = noPatients();

  get count(): number {
    return patientCount(this.columns);
  }

  /** Throws RangeError when the batch has other demographics than those before it. */
  append(next: VisitColumns): void {
    if (this.count === 0) {
      this.columns = next;
      return;
    }
    const { visitOffsets, codeOffsets, codes, labels, values, demographics } = this.columns;
    if ((values === undefined) !== (next.values === undefined))
      throw new RangeError('of two batches of patients one has values and one has not');
    this.columns = {
      visitOffsets: joinOffsets(visitOffsets, next.visitOffsets),
      codeOffsets: joinOffsets(codeOffsets, next.codeOffsets),
      codes: join(codes, next.codes),
      labels: join(labels, next.labels),
      ...(values && next.values && { values: join(values, next.values) }),
      ...(demographics && { demographics: joinFacts(demographics, next.demographics ?? {}) }),
    };
  }

  save(): Saved {
    const { demographics = {}, ...columns } = this.columns;
    const arrays: Record<string, NamedArray> = {};
    for (const [name, data] of Object.entries(columns)) arrays[name] = { shape: [data.length], data };
    const levels: Record<string, string[]> = {};
    for (const [name, fact] of Object.entries(demographics)) {
      arrays[factPrefix + name] = { shape: [fact.values.length], data: fact.values };
      if (fact.kind === 'categorical') levels[name] = fact.levels;
    }
    return { arrays, json: { levels } };
  }

  /** Throws ArtifactCorrupt when the arrays are not those of a generation. */
  load({ arrays, json }: Saved): void {
    const { levels } = levelsJson.parse(json);
    const { visitOffsets, codeOffsets, codes, labels, values } = arrays;
    if (
      !(visitOffsets?.data instanceof Int32Array) ||
      !(codeOffsets?.data instanceof Int32Array) ||
      !(codes?.data instanceof Int32Array) ||
      !(labels?.data instanceof Uint8Array)
    )
      throw new StageError('ArtifactCorrupt', 'the checkpoint is not one of a generation');
    const demographics = factsOf(arrays, levels);
    this.columns = {
      visitOffsets: visitOffsets.data,
      codeOffsets: codeOffsets.data,
      codes: codes.data,
      labels: labels.data,
      ...(values?.data instanceof Float32Array && { values: values.data }),
      ...(Object.keys(demographics).length > 0 && { demographics }),
    };
  }
}

const factsOf = (arrays: Saved['arrays'], levels: Record<string, string[]>): Facts => {
  const facts: Facts = {};
  for (const [key, { data }] of Object.entries(arrays).filter(([name]) => name.startsWith(factPrefix))) {
    const name = key.slice(factPrefix.length);
    const own = levels[name];
    if (data instanceof Float32Array) facts[name] = { kind: 'numeric', values: data };
    else if (data instanceof Int32Array && own)
      facts[name] = { kind: 'categorical', levels: own, values: data };
    else throw new StageError('ArtifactCorrupt', `the checkpoint does not tell the levels of ${name}`);
  }
  return facts;
};
