import type { TokenCohort } from '../pipelines/cohort/visit-columns.ts';
import type { Metric } from '../pipelines/metric.ts';
import { headlineOf, scoreCohort } from '../pipelines/metrics/score-cohort.ts';
import { vocabularyDigest } from '../pipelines/model-card.ts';
import { similarityMetricFile, similarityMetrics } from '../pipelines/registry.ts';
import { readTokenCohort } from '../pipelines/tokens/token-cohort-file.ts';
import { splitColumns } from '../pipelines/tokens/training-data.ts';
import { StageError } from '../schemas/errors.ts';
import { similarity as contract } from '../schemas/stages/similarity.ts';
import type { Vocabulary } from '../schemas/vocabulary.ts';
import { defineBody } from './stage-body.ts';

/** Asked for by name, or all; throws InvalidConfig on a name nobody has. */
const chosen = (names: readonly string[] = [...similarityMetrics.keys()]): Metric[] =>
  names.map((name) => {
    const metric = similarityMetrics.get(name);
    if (!metric)
      throw new StageError(
        'InvalidConfig',
        `similarity.metrics: there is no metric ${JSON.stringify(name)}; there are ${[...similarityMetrics.keys()].join(', ')}`,
      );
    return metric;
  });

const checkSameVocabulary = ({ vocabulary: real }: TokenCohort, { vocabulary: other }: TokenCohort): void => {
  if (vocabularyDigest(real) === vocabularyDigest(other)) return;
  const size = ({ codes, labels }: Vocabulary) => `${codes.length} codes, ${labels.length} labels`;
  throw new StageError(
    'InvalidConfig',
    `the synthetic cohort speaks another vocabulary (${size(other)}) than the real one (${size(real)}): ` +
      'generate it from a model that was trained on this token cohort',
  );
};

/** Compares a synthetic cohort with the real training split: `scorecard.json` and, for plots, `series.json`. */
export const similarity = defineBody(contract, {
  code: import.meta.url,
  codeOf: ({ metrics }) =>
    [...similarityMetrics.keys()].filter((name) => metrics?.includes(name) ?? true).map(similarityMetricFile),
  async *run({ params, inputs }, { open, draft }) {
    const metrics = chosen(params.metrics);
    const real = await readTokenCohort(await open(inputs.real));
    const synthetic = await readTokenCohort(await open(inputs.synthetic));
    checkSameVocabulary(real, synthetic);
    const scoring = scoreCohort({
      generator: synthetic.generator ?? 'unnamed',
      vocabulary: real.vocabulary,
      real: splitColumns(real, 'train'),
      synthetic,
      holdout: splitColumns(real, 'holdout'),
      metrics,
    });
    let turn = scoring.next();
    for (let step = 1; !turn.done; step++) {
      yield { step, of: metrics.length, phase: turn.value };
      turn = scoring.next();
    }
    const { card, series } = turn.value;
    await draft.write('scorecard.json', `${JSON.stringify(card, null, 2)}\n`);
    await draft.write('series.json', `${JSON.stringify(series)}\n`);
    return Object.fromEntries(
      Object.entries(headlineOf(card)).map(([heading, value]) => [heading, value ?? 'not defined']),
    );
  },
});
