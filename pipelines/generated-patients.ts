import { StageError } from '../schemas/errors.ts';
import type { Checkpointable, Saved } from './checkpointable.ts';
import { patientCount, type VisitColumns } from './cohort/visit-columns.ts';

/** Offsets of `next` moved to where `before` ends, without its leading zero. */
const joinOffsets = (before: Int32Array, next: Int32Array): Int32Array => {
  const base = before.at(-1) as number;
  const joined = new Int32Array(before.length + next.length - 1);
  joined.set(before);
  for (let i = 1; i < next.length; i++) joined[before.length + i - 1] = base + (next[i] as number);
  return joined;
};

const join = <A extends Int32Array | Uint8Array>(before: A, next: A): A => {
  const joined =
    before instanceof Int32Array
      ? new Int32Array(before.length + next.length)
      : new Uint8Array(before.length + next.length);
  joined.set(before);
  joined.set(next, before.length);
  return joined as A;
};

/** Patients drawn so far, in order; what a generation puts away between two batches. */
export class GeneratedPatients implements Checkpointable {
  columns: VisitColumns = {
    visitOffsets: new Int32Array(1),
    codeOffsets: new Int32Array(1),
    codes: new Int32Array(0),
    labels: new Uint8Array(0),
  };

  get count(): number {
    return patientCount(this.columns);
  }

  append(next: VisitColumns): void {
    const { visitOffsets, codeOffsets, codes, labels } = this.columns;
    this.columns = {
      visitOffsets: joinOffsets(visitOffsets, next.visitOffsets),
      codeOffsets: joinOffsets(codeOffsets, next.codeOffsets),
      codes: join(codes, next.codes),
      labels: join(labels, next.labels),
    };
  }

  save(): Saved {
    const arrays = Object.entries(this.columns).map(([name, data]) => [name, { shape: [data.length], data }]);
    return { arrays: Object.fromEntries(arrays), json: {} };
  }

  /** Throws ArtifactCorrupt when the arrays are not those of a generation. */
  load({ arrays }: Saved): void {
    const { visitOffsets, codeOffsets, codes, labels } = arrays;
    if (
      !(visitOffsets?.data instanceof Int32Array) ||
      !(codeOffsets?.data instanceof Int32Array) ||
      !(codes?.data instanceof Int32Array) ||
      !(labels?.data instanceof Uint8Array)
    )
      throw new StageError('ArtifactCorrupt', 'the checkpoint is not one of a generation');
    this.columns = {
      visitOffsets: visitOffsets.data,
      codeOffsets: codeOffsets.data,
      codes: codes.data,
      labels: labels.data,
    };
  }
}
