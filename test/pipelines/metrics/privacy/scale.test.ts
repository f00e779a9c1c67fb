import test from 'ava';
import { simulatedCohort } from '../../../../bench/simulated-cohort.ts';
import { drain } from '../../../../pipelines/kernel/steps.ts';
import { copies } from '../../../../pipelines/metrics/privacy/engine/copies.ts';
import { datasetAttack } from '../../../../pipelines/metrics/privacy/engine/membership.ts';
import { nnaa } from '../../../../pipelines/metrics/privacy/engine/nnaa.ts';
import { sample } from '../../../../pipelines/metrics/statistics/samples.ts';
import { visitCount } from '../../../../pipelines/patients/visit-columns.ts';

test('MIMIC-III in size: attacks on 46,520 patients stay far below 2 GiB', (t) => {
  const train = simulatedCohort(46520, 1);
  t.true(train.codes.length / visitCount(train) > 10.5);
  const test = sample(simulatedCohort(4652, 2), 500, 1, 'test');
  const cohorts = { train, test, synthetic: simulatedCohort(46520, 3) };
  const options = { seed: 1, replicates: 50 };
  const attack = drain(datasetAttack(cohorts, { ...options, distance: 'hamming' }));
  t.true(Math.abs((attack.auc.value ?? NaN) - 0.5) < 0.06);
  t.is(drain(nnaa(cohorts, { ...options, form: 'corrected' })).loss.n, 500);
  const few = { ...cohorts, synthetic: test };
  t.is(drain(copies(few, options)).exact.excess.value, 0);
  t.true(process.resourceUsage().maxRSS < 1024 * 1024, 'kilobytes');
});
