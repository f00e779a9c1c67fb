import { finishCohort } from '../../generation/finish-cohort.ts';
import { GeneratedPatients } from '../../generation/generated-patients.ts';
import marginal from '../../generators/marginal.ts';
import type { AsyncSteps } from '../../kernel/steps.ts';
import type { Metric } from '../../metrics/metric.ts';
import type { Scoring } from '../../metrics/score-cohort.ts';
import { patientCount, type VisitColumns, VisitColumnsBuilder } from '../../patients/visit-columns.ts';
import type { BaselineChoice } from './baseline-choice.ts';

const blockSize = 256;

/**
 * The metrics for the baseline. A metric that sums up the others of its family is left out where some of
 * these are: its value would not be comparable.
 */
export const baselineMetrics = (metrics: readonly Metric[], choice: BaselineChoice): Metric[] => {
  if (choice === 'none') return [];
  if (choice === 'all') return [...metrics];
  const trains = new Set(metrics.filter((metric) => metric.trains).map(({ family }) => family));
  return metrics.filter(
    (metric) => !metric.trains && !(metric.needs.includes('rows') && trains.has(metric.family)),
  );
};

/** The name of the baseline in scorecards, another than that of the cohort beside it. */
const nameBeside = (cohort: string): string =>
  cohort === marginal.name ? `${marginal.name} (baseline)` : marginal.name;

/**
 * The scoring of the baseline beside that of a cohort: independent marginals, fitted to the same training
 * patients, and as many patients sampled from them as the cohort has.
 */
export async function* baselineScoring(scoring: Scoring, metrics: readonly Metric[]): AsyncSteps<Scoring> {
  const { vocabulary, train, seed } = scoring;
  const count = patientCount(scoring.synthetic);
  const config = marginal.config.parse({});
  const fitting = await marginal.fit({ vocabulary, train, validation: noPatients }, config, seed);
  for (let step = 0; !fitting.finished; step++) {
    yield { step, of: fitting.steps, phase: 'fitting the baseline' };
    await fitting.step();
  }
  const fitted = await fitting.model();
  fitting.dispose();
  const open = async () => marginal.open(fitted, config, vocabulary);
  const sampler = await open();
  const sampled = new GeneratedPatients();
  try {
    while (sampled.count < count) {
      yield { step: sampled.count, of: count, phase: 'sampling the baseline' };
      const next = Math.min(blockSize, count - sampled.count);
      sampled.append(await sampler.sample({ first: sampled.count, count: next, seed }));
    }
  } finally {
    sampler.dispose();
  }
  const { columns } = finishCohort(sampled.columns, vocabulary, { seed, rules: 'off' });
  return {
    ...scoring,
    generator: nameBeside(scoring.generator),
    synthetic: columns,
    metrics,
    model: scoring.model && open,
    learner: { generator: marginal.name, config },
  };
}

const noPatients: VisitColumns = new VisitColumnsBuilder().build();
