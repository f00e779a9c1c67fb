import { packSequences, type SpanBatch } from '../pipelines/generators/promptehr/network/sequences.ts';
import { simulatedCohort } from './simulated-cohort.ts';

/** Stream tokens before the codes: `<s>`, pad, `</s>`, unknown, mask, then a pair of brackets per kind. */
const special = { start: 0, pad: 1, end: 2, mask: 4, brackets: 5 };
export const kinds = [
  { name: 'diag', codes: 6841, most: 20 },
  { name: 'prod', codes: 1500, most: 7 },
  { name: 'med', codes: 3000, most: 20 },
];
export const firstCode = special.brackets + 2 * kinds.length;

/** Stream tokens of each kind's codes. */
export const heads = kinds.map(({ name, codes }, kind) => {
  const first = firstCode + kinds.slice(0, kind).reduce((sum, other) => sum + other.codes, 0);
  return { name, tokens: Array.from({ length: codes }, (_, code) => first + code) };
});
export const tokens = firstCode + kinds.reduce((sum, { codes }) => sum + codes, 0);

/** A training batch as the published collator makes it, and the same contexts asked for one span each. */
export interface BenchBatch {
  /** Padded, for the peer. */
  inputs: number[][];
  attention: number[][];
  labels: number[][];
  /** The same numbers without padding. */
  same: SpanBatch;
  /** Our way: one span of the last visit is written, the rest of the record is read. */
  oneSpan: SpanBatch;
  /** As our examples mostly are: all spans of the last visit are written, the context is read once. */
  allSpans: SpanBatch;
}

interface Sequence {
  input: number[];
  label: number[];
  /** The last visit's codes, kind by kind. */
  spans: number[][];
}

/** Every visit of a patient with all visits before it; every third code of the first kind is masked in the input. */
const sequencesOf = (visits: number[][][]): Sequence[] => {
  const input = [special.start];
  const label = [special.start];
  return visits.map((spans) => {
    for (const [kind, codes] of spans.entries()) {
      const [open, close] = [special.brackets + 2 * kind, special.brackets + 2 * kind + 1];
      label.push(open, ...codes, close);
      input.push(open, ...codes.map((code, i) => (kind === 0 && i % 3 === 0 ? special.mask : code)), close);
    }
    label.push(special.end);
    input.push(special.end);
    return { input: [...input], label: [...label], spans };
  });
};

/** Visits of `count` simulated patients, kind by kind: lengths as in MIMIC-III, 1.27 visits a patient. */
export const patientsOf = (count: number, seed: number): number[][][][] => {
  const cohorts = kinds.map((_, kind) => simulatedCohort(count * 4, seed * 10 + kind));
  return Array.from({ length: count }, (_, patient) => {
    const [first] = cohorts;
    if (!first) return [];
    const begin = first.visitOffsets[patient] as number;
    const visits = (first.visitOffsets[patient + 1] as number) - begin;
    return Array.from({ length: visits }, (_, visit) =>
      cohorts.map(({ codes, codeOffsets }, kind) => {
        const { most, codes: size } = kinds[kind] as (typeof kinds)[number];
        const at = begin + visit;
        const own = codes.slice(codeOffsets[at], codeOffsets[at + 1]).map((code) => code % size);
        return [...new Set(own)].slice(0, most).map((code) => heads[kind]?.tokens[code] as number);
      }),
    );
  });
};

const padded = (rows: number[][], filler: number): number[][] => {
  const length = Math.max(...rows.map((row) => row.length));
  return rows.map((row) => [...row, ...new Array<number>(length - row.length).fill(filler)]);
};

/** The target of a head, -1 where it has none. */
const targetsOf = (kind: number, row: number[]): number[] => {
  const first = heads[kind]?.tokens[0] as number;
  return row.map((token) => {
    const index = token - first;
    return index >= 0 && index < (kinds[kind]?.codes as number) ? index : -1;
  });
};

/** `size` sequences of `size` patients, as the published batch size means it. */
export const benchBatch = (size: number, seed: number): BenchBatch => {
  const all = patientsOf(size, seed).flatMap(sequencesOf);
  const chosen = all.filter(
    (_, i) => Math.floor((i * size) / all.length) !== Math.floor(((i - 1) * size) / all.length),
  );
  const [inputs, labels] = [chosen.map(({ input }) => input), chosen.map(({ label }) => label)];
  const contexts = packSequences(inputs);
  const shared = {
    contexts,
    numeric: Float32Array.from(inputs, (_, i) => i / inputs.length - 0.5),
    categories: Int32Array.from(inputs.flatMap((_, i) => [i % 2, i % 5])),
  };
  const asked = (some: number[]): SpanBatch => {
    const tasks = chosen.flatMap(({ spans }, source) =>
      some.map((kind) => ({ kind, source, span: spans[kind] ?? [] })),
    );
    return {
      ...shared,
      sources: Int32Array.from(tasks, ({ source }) => source),
      heads: Int32Array.from(tasks, ({ kind }) => kind),
      spans: packSequences(tasks.map(({ kind, span }) => [special.brackets + 2 * kind, ...span])),
      // The published heads have no output for the closing bracket: the last row has a code instead.
      targets: Int32Array.from(tasks.flatMap(({ kind, span }) => [...targetsOf(kind, span), 0])),
    };
  };
  return {
    inputs: padded(inputs, special.pad),
    attention: padded(
      inputs.map((row) => row.map(() => 1)),
      0,
    ),
    labels: padded(labels, special.pad),
    same: {
      ...shared,
      sources: Int32Array.from(inputs.keys()),
      heads: new Int32Array(inputs.length),
      spans: packSequences(labels.map((row) => [special.start, ...row.slice(0, -1)])),
      targets: Int32Array.from(labels.flatMap((row) => targetsOf(0, row))),
    },
    oneSpan: asked([0]),
    allSpans: asked([...kinds.keys()]),
  };
};
