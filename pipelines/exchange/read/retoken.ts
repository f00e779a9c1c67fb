import type { VisitColumns } from '../../patients/visit-columns.ts';

/**
 * The same visits in other tokens: `tokenOf[old]` is the new one, -1 leaves the code out. Tokens come out
 * ascending and without repeats inside a visit. A visit that loses its last code goes, and so does a patient
 * that loses the last visit; what was empty before stays. `kept` are the patients that stay.
 */
export const retoken = (
  columns: VisitColumns,
  tokenOf: ArrayLike<number>,
): { columns: VisitColumns; kept: Int32Array; lostVisits: number } => {
  const { visitOffsets, codeOffsets, codes, labels, values } = columns;
  const patients = visitOffsets.length - 1;
  const width = labels.length / Math.max(1, patients);
  const out = new Int32Array(codes.length);
  const newValues = values && new Float32Array(codes.length);
  const numbers = new Map<number, number>();
  const newCodeOffsets = new Int32Array(codeOffsets.length);
  const newVisitOffsets = new Int32Array(visitOffsets.length);
  const newLabels = new Uint8Array(labels.length);
  const kept: number[] = [];
  let [length, visits] = [0, 0];
  for (let patient = 0; patient < patients; patient++) {
    const [first = 0, end = 0] = visitOffsets.subarray(patient, patient + 2);
    const before = visits;
    for (let visit = first; visit < end; visit++) {
      const [from = 0, to = 0] = codeOffsets.subarray(visit, visit + 2);
      const start = length;
      numbers.clear();
      for (let i = from; i < to; i++) {
        const token = tokenOf[codes[i] as number] as number;
        if (token >= 0) out[length++] = token;
        if (values) numbers.set(token, values[i] as number);
      }
      length = withoutRepeats(out, start, length);
      if (newValues)
        for (let i = start; i < length; i++) newValues[i] = numbers.get(out[i] as number) ?? Number.NaN;
      if (length > start || from === to) newCodeOffsets[++visits] = length;
    }
    if (visits === before && first !== end) continue;
    newLabels.set(labels.subarray(patient * width, (patient + 1) * width), kept.length * width);
    newVisitOffsets[kept.push(patient)] = visits;
  }
  return {
    columns: {
      visitOffsets: newVisitOffsets.slice(0, kept.length + 1),
      codeOffsets: newCodeOffsets.slice(0, visits + 1),
      codes: out.slice(0, length),
      ...(newValues && { values: newValues.slice(0, length) }),
      labels: newLabels.slice(0, kept.length * width),
    },
    kept: Int32Array.from(kept),
    lostVisits: codeOffsets.length - 1 - visits,
  };
};

/** Sorts `out[start … end - 1]` and moves distinct values to its front; gives where they end. */
const withoutRepeats = (out: Int32Array, start: number, end: number): number => {
  out.subarray(start, end).sort();
  let length = start;
  for (let i = start; i < end; i++) {
    const token = out[i] as number;
    if (length === start || out[length - 1] !== token) out[length++] = token;
  }
  return length;
};
