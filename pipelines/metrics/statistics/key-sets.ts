import {
  labelCount,
  patientCount,
  recordRange,
  type VisitColumns,
  visitsOf,
} from '../../patients/visit-columns.ts';

/**
 * Patients as sets of dense keys. A key is a label, or a code at a visit position: the third visit of one
 * patient is compared with the third visit of another. Set operations on keys are then the paper's distances.
 */
export interface KeySets {
  count: number;
  /** `[count + 1]`: keys of patient p are `keys[offsets[p] … offsets[p + 1] - 1]`, labels first. */
  offsets: Int32Array;
  keys: Int32Array;
  /** Visits per patient. */
  visits: Int32Array;
  /** Labels set per patient; these keys belong to no visit. */
  labels: Int32Array;
  columns: VisitColumns;
}

export interface SharedKeys {
  sets: KeySets[];
  /** Keys run from 0 to `keyCount - 1`, over all the sets. */
  keyCount: number;
}

function layOut(columns: VisitColumns, withLabels: boolean): KeySets {
  const count = patientCount(columns);
  const perPatient = withLabels ? labelCount(columns) : 0;
  const visits = new Int32Array(count);
  const labels = new Int32Array(count);
  const offsets = new Int32Array(count + 1);
  for (let p = 0; p < count; p++) {
    visits[p] = visitsOf(columns, p);
    let set = 0;
    for (let l = 0; l < perPatient; l++) set += columns.labels[p * perPatient + l] as number;
    labels[p] = set;
    const [from, to] = recordRange(columns, p);
    offsets[p + 1] = (offsets[p] as number) + set + to - from;
  }
  return { count, offsets, keys: new Int32Array(offsets[count] as number), visits, labels, columns };
}

function writeLabels(set: KeySets, withLabels: boolean): void {
  if (!withLabels) return;
  const perPatient = labelCount(set.columns);
  for (let p = 0; p < set.count; p++) {
    let at = set.offsets[p] as number;
    for (let l = 0; l < perPatient; l++) if (set.columns.labels[p * perPatient + l] === 1) set.keys[at++] = l;
  }
}

/** Patients by falling visit count, so that those who reach position t are always a prefix. */
const longestFirst = (set: KeySets): Uint32Array =>
  Uint32Array.from({ length: set.count }, (_, p) => p).sort(
    (a, b) => (set.visits[b] as number) - (set.visits[a] as number) || a - b,
  );

/** Numbers the codes of one visit position with `idOf` (−1 where unseen), and returns the next free key. */
function writePosition(
  set: KeySets,
  order: Uint32Array,
  position: number,
  idOf: Int32Array,
  next: number,
): number {
  const { visitOffsets, codeOffsets, codes } = set.columns;
  for (let i = 0; i < order.length; i++) {
    const p = order[i] as number;
    if ((set.visits[p] as number) <= position) break;
    const first = visitOffsets[p] as number;
    const start = codeOffsets[first + position] as number;
    const end = codeOffsets[first + position + 1] as number;
    let at = (set.offsets[p] as number) + (set.labels[p] as number);
    at += start - (codeOffsets[first] as number);
    for (let c = start; c < end; c++) {
      const code = codes[c] as number;
      if (idOf[code] === -1) idOf[code] = next++;
      set.keys[at++] = idOf[code] as number;
    }
  }
  return next;
}

/**
 * Gives several cohorts one set of keys. Work and memory follow the number of codes present, never
 * positions × vocabulary: one runaway record of a thousand visits costs its own length.
 */
export function shareKeys(cohorts: readonly VisitColumns[], withLabels: boolean): SharedKeys {
  const sets = cohorts.map((columns) => layOut(columns, withLabels));
  for (const set of sets) writeLabels(set, withLabels);
  let keyCount = withLabels ? Math.max(0, ...cohorts.map(labelCount)) : 0;
  let largestCode = -1;
  for (const { codes } of cohorts) for (const code of codes) if (code > largestCode) largestCode = code;
  const idOf = new Int32Array(largestCode + 1);
  const orders = sets.map(longestFirst);
  const positions = sets.map((set, s) => (set.count ? (set.visits[orders[s]?.[0] ?? 0] as number) : 0));
  for (let position = 0; position < Math.max(0, ...positions); position++) {
    idOf.fill(-1);
    for (const [s, set] of sets.entries())
      keyCount = writePosition(set, orders[s] as Uint32Array, position, idOf, keyCount);
  }
  return { sets, keyCount };
}

/** Keys of a patient that lie in the labels or in the first `visits` visits. */
export function prefixSize(set: KeySets, patient: number, visits: number): number {
  const { visitOffsets, codeOffsets } = set.columns;
  const first = visitOffsets[patient] as number;
  const end = first + Math.min(visits, set.visits[patient] as number);
  return (set.labels[patient] as number) + (codeOffsets[end] as number) - (codeOffsets[first] as number);
}

/** All keys of a patient. */
export const keySize = (set: KeySets, patient: number): number =>
  (set.offsets[patient + 1] as number) - (set.offsets[patient] as number);
