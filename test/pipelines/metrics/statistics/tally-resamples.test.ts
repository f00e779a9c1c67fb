import test from 'ava';
import {
  countPairs,
  joined,
  pairsPearson,
  pairsR2,
} from '../../../../pipelines/metrics/statistics/count-agreement.ts';
import { countOccurrences } from '../../../../pipelines/metrics/statistics/occurrence-counts.ts';
import { layOutKeys, patientEntries } from '../../../../pipelines/metrics/statistics/patient-entries.ts';
import { lanes, tallyResamples } from '../../../../pipelines/metrics/statistics/tally-resamples.ts';
import { selectPatients } from '../../../../pipelines/patients/visit-columns.ts';
import { cases, columnsAsWritten } from '../golden-cohorts.ts';

const mini = cases['mini_a40_vs_b40_full_tables'] ?? { real: [], synthetic: [] };
const cohorts = { real: columnsAsWritten(mini.real), synthetic: columnsAsWritten(mini.synthetic) };
const sizes = { real: mini.real.length, synthetic: mini.synthetic.length };
const sides = ['real', 'synthetic'] as const;

/** How often a patient is drawn in a lane; some never. */
const times = (side: 'real' | 'synthetic', patient: number, lane: number): number =>
  (patient * (side === 'real' ? 5 : 3) + lane * 2) % 4;

/** Patients as often as they are drawn. */
const drawn = (side: 'real' | 'synthetic', lane: number) =>
  selectPatients(
    cohorts[side],
    [...Array(sizes[side]).keys()].flatMap((p) => Array<number>(times(side, p, lane)).fill(p)),
  );

const sorted = ({ x, y, times: n }: ReturnType<typeof countPairs>) =>
  [...x]
    .flatMap((count, i) => Array<string>(n[i] ?? 0).fill(`${count} ${y[i]}`))
    .filter((pair) => pair !== '0 0')
    .sort();

for (const keys of ['codes', 'pairs', 'sequences'] as const)
  test(`${keys}: a resample is tallied as a cohort in which patients are there that often`, (t) => {
    const counts = countOccurrences(cohorts.real, cohorts.synthetic, keys);
    const size = counts.first.length;
    // Two parts, of which one holds every third key.
    const parts = Uint32Array.from({ length: size }, (_, key) => (key % 3 === 0 ? 3 : 1));
    const layout = layOutKeys(counts, parts, sizes);
    const [real, synthetic] = sides.map((side) => ({
      entries: patientEntries(cohorts[side], counts, keys, layout, side),
      weights: Uint16Array.from({ length: sizes[side] * lanes }, (_, i) =>
        times(side, Math.floor(i / lanes), i % lanes),
      ),
    }));
    if (!real || !synthetic) throw new Error('two sides');
    const found = tallyResamples(layout.groups, real, synthetic);
    t.is(found.length, lanes);
    const third = Int32Array.from({ length: Math.ceil(size / 3) }, (_, i) => 3 * i);
    for (const [lane, groups] of found.entries()) {
      const plain = countOccurrences(drawn('real', lane), drawn('synthetic', lane), keys);
      for (const kind of ['patients', 'occurrences'] as const) {
        const all = joined(groups.map((group) => group[kind]));
        t.is(all.keys, size, 'keys that nobody drawn has stay');
        t.deepEqual(sorted(all), sorted(countPairs(plain.real[kind], plain.synthetic[kind])));
        const some = joined(groups.filter((group) => group.parts & 2).map((group) => group[kind]));
        t.is(some.keys, third.length);
      }
    }
  });

test('the statistics of a resample of everybody once are those of the cohort', (t) => {
  const counts = countOccurrences(cohorts.real, cohorts.synthetic, 'pairs');
  const layout = layOutKeys(counts, new Uint32Array(counts.first.length).fill(1), sizes);
  const [real, synthetic] = sides.map((side) => ({
    entries: patientEntries(cohorts[side], counts, 'pairs', layout, side),
    weights: new Uint16Array(sizes[side] * lanes).fill(1),
  }));
  if (!real || !synthetic) throw new Error('two sides');
  const wanted = countPairs(counts.real.occurrences, counts.synthetic.occurrences);
  for (const groups of tallyResamples(layout.groups, real, synthetic)) {
    const pairs = joined(groups.map(({ occurrences }) => occurrences));
    t.is(pairsR2(pairs, 90, 80), pairsR2(wanted, 90, 80));
    t.is(pairsPearson(pairs), pairsPearson(wanted));
  }
});
