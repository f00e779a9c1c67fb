import { patientCount, toOffsets, type VisitColumns } from '../../patients/visit-columns.ts';
import type { OccurrenceCounts, SideCounts } from './occurrence-counts.ts';
import { eachCode, type Keys, postingSize, postingsOf } from './postings.ts';

/**
 * Keys that are tallied together: those of the same parts, and of the same kind. Their slots follow each
 * other. Most keys are of one patient alone and stand nowhere: they are counted with that patient.
 */
export interface KeyGroup {
  /** Which parts the keys belong to, a bit each. */
  parts: number;
  /** No patient has such a key more than once, so occurrences are patients. */
  once: boolean;
  from: number;
  to: number;
  /** How many keys each patient has that no other patient on either side has. */
  real: Uint32Array;
  synthetic: Uint32Array;
}

/** Where keys stand. */
export interface KeyLayout {
  groups: KeyGroup[];
  groupOf: Uint8Array;
  /** −1: the key is of one patient alone. */
  slots: Int32Array;
  /** Slots there are. */
  size: number;
}

/** Patients by slot: those of the key at slot s are `patients[offsets[s]] … patients[offsets[s + 1] - 1]`. */
interface Entries {
  offsets: Int32Array;
  patients: Int32Array;
}

/** What counts of one side are made of, so that patients can be weighted anew. */
export interface PatientEntries {
  /** The patients who have the key, each once. */
  patients: Entries;
  /** As often as they have it; only of groups whose keys some patient has more than once. */
  occurrences: Entries;
}

const mostAlike = 16;

/** Whether patients have the key once at most. */
const isOnce = ({ real, synthetic }: OccurrenceCounts, key: number): boolean =>
  real.patients[key] === real.occurrences[key] && synthetic.patients[key] === synthetic.occurrences[key];

/** The group of each key by its parts and kind, in the order they are met. */
const groupsOf = (
  counts: OccurrenceCounts,
  parts: Uint32Array,
  sizes: Record<'real' | 'synthetic', number>,
) => {
  const groups: KeyGroup[] = [];
  const known = new Map<number, number>();
  const groupOf = new Uint8Array(parts.length);
  for (let key = 0; key < parts.length; key++) {
    const once = isOnce(counts, key);
    const name = (parts[key] as number) * 2 + Number(once);
    let group = known.get(name);
    if (group === undefined) {
      group = groups.length;
      known.set(name, group);
      const [real, synthetic] = [new Uint32Array(sizes.real), new Uint32Array(sizes.synthetic)];
      groups.push({ parts: parts[key] as number, once, from: 0, to: 0, real, synthetic });
    }
    groupOf[key] = group;
  }
  return { groups, groupOf };
};

/**
 * Lays keys out group by group. Inside a group, keys with equally many patients on both sides stand together:
 * loops over their entries are then equally long, which the processor predicts (twice as fast as in the order
 * of the keys). `parts` has a bit per part that the key belongs to.
 */
export const layOutKeys = (
  counts: OccurrenceCounts,
  parts: Uint32Array,
  sizes: Record<'real' | 'synthetic', number>,
): KeyLayout => {
  const { real, synthetic } = counts;
  const { groups, groupOf } = groupsOf(counts, parts, sizes);
  const alike = mostAlike * mostAlike;
  const next = new Int32Array(groups.length * alike + 1);
  const bin = (key: number): number => {
    const [a, b] = [real.patients[key] as number, synthetic.patients[key] as number];
    const group = groupOf[key] as number;
    if (a + b === 1 && groups[group]?.once) return -1;
    return group * alike + Math.min(mostAlike - 1, a) * mostAlike + Math.min(mostAlike - 1, b);
  };
  const bins = new Int32Array(parts.length);
  for (let key = 0; key < bins.length; key++) {
    const own = bin(key);
    bins[key] = own;
    if (own >= 0) next[own + 1] = (next[own + 1] as number) + 1;
  }
  toOffsets(next);
  for (const [i, group] of groups.entries()) {
    group.from = next[i * alike] as number;
    group.to = next[(i + 1) * alike] as number;
  }
  const size = next.at(-1) as number;
  const slots = new Int32Array(parts.length).fill(-1);
  for (let key = 0; key < bins.length; key++) {
    const own = bins[key] as number;
    if (own < 0) continue;
    slots[key] = next[own] as number;
    next[own] = (next[own] as number) + 1;
  }
  return { groups, groupOf, slots, size };
};

/** Calls `meet(key, patient)` for every occurrence; each key meets its patients in ascending order. */
function walk(
  columns: VisitColumns,
  { first, second }: OccurrenceCounts,
  keys: Keys,
  meet: (key: number, patient: number) => void,
): void {
  let tokens = 0;
  for (const column of [first, second, columns.codes])
    for (let i = 0; i < column.length; i++) tokens = Math.max(tokens, (column[i] as number) + 1);
  const keyOf = new Int32Array(tokens);
  if (keys === 'codes') {
    for (let key = 0; key < first.length; key++) keyOf[first[key] as number] = key;
    eachCode(columns, (token, patient) => meet(keyOf[token] as number, patient));
    return;
  }
  const { offsets, records, codes } = postingsOf(columns, tokens, keys);
  for (let from = 0, to = 0; from < first.length; from = to) {
    const token = first[from] as number;
    for (; to < first.length && first[to] === token; to++) keyOf[second[to] as number] = to;
    const end = (offsets[token + 1] as number) * postingSize;
    for (let at = (offsets[token] as number) * postingSize; at < end; at += postingSize)
      for (let i = records[at] as number; i < (records[at + 1] as number); i++)
        meet(keyOf[codes[i] as number] as number, records[at + 2] as number);
  }
}

/** Fills entries in two passes: how many there are of each slot, then which patients. */
class EntryWriter {
  readonly #offsets: Int32Array;
  #next = new Int32Array(0);
  #patients = new Int32Array(0);

  constructor(slots: number) {
    this.#offsets = new Int32Array(slots + 1);
  }

  count(slot: number): void {
    this.#offsets[slot + 1] = (this.#offsets[slot + 1] as number) + 1;
  }

  /** Between the passes. */
  allot(): void {
    const offsets = toOffsets(this.#offsets);
    this.#patients = new Int32Array(offsets.at(-1) as number);
    this.#next = offsets.slice();
  }

  write(slot: number, patient: number): void {
    const entry = this.#next[slot] as number;
    this.#patients[entry] = patient;
    this.#next[slot] = entry + 1;
  }

  written(): Entries {
    return { offsets: this.#offsets, patients: this.#patients };
  }
}

/**
 * Entries of one side for the keys that were counted; `kept` marks the patients to use. Keys of one patient
 * alone are added to their group. Two walks over the postings the counts come from: memory is little more
 * than four bytes an entry.
 */
export const patientEntries = (
  columns: VisitColumns,
  counts: OccurrenceCounts,
  keys: Keys,
  { groups, groupOf, slots, size }: KeyLayout,
  side: 'real' | 'synthetic',
  kept = new Uint8Array(patientCount(columns)).fill(1),
): PatientEntries => {
  const patients = new EntryWriter(size);
  const occurrences = new EntryWriter(size);
  const last = new Int32Array(size);
  const pass = (isFirst: boolean) => {
    last.fill(-1);
    walk(columns, counts, keys, (key, patient) => {
      const slot = slots[key] as number;
      const group = groups[groupOf[key] as number] as KeyGroup;
      if (slot < 0) {
        if (isFirst) group[side][patient] = (group[side][patient] as number) + 1;
        return;
      }
      if (kept[patient] === 0) return;
      if (!group.once) isFirst ? occurrences.count(slot) : occurrences.write(slot, patient);
      if (last[slot] === patient) return;
      last[slot] = patient;
      isFirst ? patients.count(slot) : patients.write(slot, patient);
    });
  };
  pass(true);
  patients.allot();
  occurrences.allot();
  pass(false);
  return { patients: patients.written(), occurrences: occurrences.written() };
};

/** Entries that a resample is counted from. */
export const entriesIn = (counts: SideCounts): number => counts.patients.reduce((sum, n) => sum + n, 0);
