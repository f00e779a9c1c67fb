import { finishCohort } from '../../generation/finish-cohort.ts';
import { GeneratedPatients } from '../../generation/generated-patients.ts';
import marginal from '../../generators/marginal.ts';
import type { AsyncSteps } from '../../kernel/steps.ts';
import type { Metric } from '../../metrics/metric.ts';
import type { Scoring } from '../../metrics/score-cohort.ts';
import { patientCount, type VisitColumns, VisitColumnsBuilder } from '../../patients/visit-columns.ts';
import type { Floor } from './baseline-choice.ts';

const blockSize = 256;

/**
 * The metrics for the floor. What sums up the others of its family would sum up fewer of them where some are left
 * out, and not compare.
 */
export const floorMetrics = (metrics: readonly Metric[], floor: Floor): Metric[] => {
  if (floor === 'none') return [];
  if (floor === 'all') return [...metrics];
  const trains = new Set(metrics.filter((metric) => metric.trains).map(({ family }) => family));
  return metrics.filter(
    (metric) => !metric.trains && !(metric.needs.includes('rows') && trains.has(metric.family)),
  );
};

/**
 * The scoring of the floor beside that of a cohort: the independent-marginals sampler, fitted to the same training
 * patients, and as many patients drawn from it as the cohort has.
 */
export async function* floorScoring(scoring: Scoring, metrics: readonly Metric[]): AsyncSteps<Scoring> {
  const { vocabulary, train, seed } = scoring;
  const count = patientCount(scoring.synthetic);
  const config = marginal.config.parse({});
  const fitting = await marginal.fit({ vocabulary, train, validation: nobody }, config, seed);
  for (let step = 0; !fitting.finished; step++) {
    yield { step, of: fitting.steps, phase: 'fitting the floor' };
    await fitting.step();
  }
  const fitted = await fitting.model();
  fitting.dispose();
  const open = async () => marginal.open(fitted, config, vocabulary);
  const sampler = await open();
  const drawn = new GeneratedPatients();
  try {
    while (drawn.count < count) {
      yield { step: drawn.count, of: count, phase: 'drawing the floor' };
      const next = Math.min(blockSize, count - drawn.count);
      drawn.append(await sampler.sample({ first: drawn.count, count: next, seed }));
    }
  } finally {
    sampler.dispose();
  }
  const { columns } = finishCohort(drawn.columns, vocabulary, { seed, rules: 'off' });
  const { model, ...rest } = scoring;
  return { ...rest, generator: marginal.name, synthetic: columns, metrics, ...(model && { model: open }) };
}

const nobody: VisitColumns = new VisitColumnsBuilder().build();
