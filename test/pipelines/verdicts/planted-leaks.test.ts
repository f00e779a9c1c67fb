import test from 'ava';
import { plantedLeaks } from '../../../bench/planted-leaks.ts';
import { structuredCohort, structuredShape } from '../../../bench/structured-cohort.ts';
import { withPlantedCopies } from '../../../infra/demo/invented.ts';
import { drainAsync } from '../../../pipelines/kernel/steps.ts';
import { metricsOf } from '../../../pipelines/metrics/registry.ts';
import { scoreCohort } from '../../../pipelines/metrics/score-cohort.ts';
import {
  codesOfPatient,
  patientCount,
  type VisitColumns,
} from '../../../pipelines/patients/visit-columns.ts';
import { checksOf } from '../../../pipelines/verdicts/checks.ts';
import { metricTables } from '../../../pipelines/verdicts/metric-tables.ts';
import { verdictCard } from '../../../pipelines/verdicts/verdict-card.ts';

const [train, holdout, clean] = [1, 2, 3].map((side) => structuredCohort(150, 100_000 + side)) as [
  VisitColumns,
  VisitColumns,
  VisitColumns,
];
/** Uniform numbers without a pattern that a leak could follow. */
const uniforms = () => {
  let at = 0;
  return () => {
    at = (at + 0.618_033_988_749_895) % 1;
    return at;
  };
};
const planted = (leak: string) => {
  const plant = plantedLeaks.get(leak);
  if (!plant) throw new RangeError(`no leak ${leak}`);
  return plant(clean, train, uniforms());
};
const names = ['membership-nearest', 'strongest-attack', 'copies', 'copied-visits'];
const metrics = [...metricsOf('privacy').values()].filter(({ name }) => names.includes(name));
const vocabulary = {
  codes: Array.from({ length: structuredShape.codes }, (_, i) => ({ modality: 'dx' as const, code: `${i}` })),
  labels: Array.from({ length: structuredShape.labels }, (_, i) => `label ${i}`),
};

/** What the verdict says of the privacy of a synthetic cohort. */
const privacyOf = async (synthetic: VisitColumns) => {
  const parties = { vocabulary, train, validation: structuredCohort(0, 0), holdout };
  const settings = { generator: 'planted', metrics, seed: 0, replicates: 100, suppressBelow: 0 };
  const { card } = await drainAsync(scoreCohort({ ...settings, ...parties, synthetic }));
  const generators = [{ name: 'planted', isBaseline: false }];
  const { checks } = checksOf(metricTables([card], 0), generators);
  return verdictCard({ generators, checks, metrics: card.metrics }).generators[0]?.privacy;
};

test('a leak replaces as many patients as its name says, in their places', (t) => {
  const codes = (columns: typeof clean, patient: number) => codesOfPatient(columns, patient).join(' ');
  for (const [leak, share] of [
    ['none', 0],
    ['copies-3', 0.03],
    ['copies-25', 0.25],
    ['copies-100', 1],
  ] as const) {
    const synthetic = planted(leak);
    t.is(patientCount(synthetic), 150);
    for (let patient = 0; patient < 150; patient++)
      t.is(
        codes(synthetic, patient),
        codes(patient < share * 150 ? train : clean, patient),
        `${leak} ${patient}`,
      );
  }
  const count = (leak: string) => planted(leak).codes.length;
  const kept = count('noisy-100') / count('copies-100');
  t.true(kept > 0.68 && kept < 0.72, `${kept} of the codes are kept`);
});

test('planted copies, noisy ones and stitched visits make privacy poor; independent patients do not', async (t) => {
  t.not((await privacyOf(planted('none')))?.standing, 'poor');
  for (const leak of ['copies-25', 'noisy-100', 'visits-100', 'warm'])
    t.is((await privacyOf(planted(leak)))?.standing, 'poor', leak);
});

test('the copies that the demo on invented patients plants make privacy poor', async (t) => {
  const real = { ...train, vocabulary, split: new Uint8Array(150) };
  const verdict = await privacyOf(withPlantedCopies({ ...clean, vocabulary }, real, 0));
  t.is(verdict?.standing, 'poor');
});
