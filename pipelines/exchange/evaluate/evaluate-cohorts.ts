import { basename, extname, resolve } from 'node:path';
import { type Modality, splits } from '../../../schemas/ehr.ts';
import type { Scorecard, ScorecardSeries } from '../../../schemas/scorecard.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import type { LearningCurve } from '../../generation/learning-curve.ts';
import type { Model } from '../../generation/model-file.ts';
import { openModel } from '../../generators/registry.ts';
import type { AsyncSteps } from '../../kernel/steps.ts';
import type { Metric } from '../../metrics/metric.ts';
import type { Scoring } from '../../metrics/score-cohort.ts';
import type { ScoredCohort } from '../../metrics/scorecard-file.ts';
import { notStrangers, type SharedPatients } from '../../metrics/shared-patients.ts';
import {
  patientCount,
  patientsIn,
  selectPatients,
  type TokenCohort,
  type VisitColumns,
} from '../../patients/visit-columns.ts';
import { checkModelCodes, readModelFolder } from '../models/model-folder.ts';
import { malformed } from '../read/outside-cohort.ts';
import { type CohortRead, readCohort } from '../read/read-cohort.ts';
import { alignCohorts, type Sides } from './align-cohorts.ts';
import { baselineMetrics, baselineScoring } from './baseline.ts';
import type { BaselineChoice } from './baseline-choice.ts';
import { cohortDigest } from './cohort-digest.ts';
import { withPhenotypes } from './phenotype-labels.ts';
import { needsValidation, scoreFamilies } from './score-families.ts';

/** What is to be compared, and how. */
export interface EvaluationRequest {
  paths: Sides<string>;
  /** Folder of the model that made the synthetic cohort. */
  model?: string;
  metrics: readonly Metric[];
  /** Settings by metric name. */
  options?: Readonly<Record<string, unknown>>;
  /** Which of the metrics the baseline (independent marginals) is scored by, beside the cohort. */
  baseline: BaselineChoice;
  modalities: readonly Modality[];
  seed: number;
  replicates: number;
  /** Groups of fewer real patients are not reported, in numbers or notes. */
  suppressBelow: number;
  /** Folder for what is written on the way; patient data, so on a disk of one's own. */
  scratch: string;
}

/** One side as it was read. */
export interface SideRead {
  side: keyof Sides<string>;
  layout: string;
  patients: number;
  /** See `cohortDigest`; of all that was read, whichever patients of it took part. */
  digest: string;
  notes: string[];
}

export interface Evaluation {
  card: Scorecard;
  series: ScorecardSeries;
  baseline?: ScoredCohort;
  vocabulary: Vocabulary;
  sides: SideRead[];
  curve?: LearningCurve;
  /** What to mind beyond the notes of the sides. */
  notes: string[];
}

const noPatients: VisitColumns = {
  visitOffsets: new Int32Array(1),
  codeOffsets: new Int32Array(1),
  codes: new Int32Array(0),
  labels: new Uint8Array(0),
};

type Part = (typeof splits)[number];

const inPart = (cohort: TokenCohort | undefined, part: Part): VisitColumns =>
  cohort?.split ? selectPatients(cohort, patientsIn(cohort, splits.indexOf(part))) : noPatients;

/**
 * Patients that take part: all, or where the cohort brings a split those of one part, which must not be
 * empty.
 */
const members = (cohort: TokenCohort, part: Part, side: string): VisitColumns => {
  if (!cohort.split) return cohort;
  const columns = inPart(cohort, part);
  if (patientCount(columns) > 0) return columns;
  throw malformed(`${side} brings a split of its patients, and its ${part} part is empty`);
};

const sideRead = (side: SideRead['side'], { layout, cohort }: CohortRead): SideRead => ({
  side,
  layout,
  patients: patientCount(cohort),
  digest: cohortDigest(cohort),
  notes: cohort.notes,
});

async function* readSides(
  request: EvaluationRequest,
): AsyncSteps<{ reads: Sides<CohortRead>; sides: SideRead[] }> {
  const { paths, ...given } = request;
  const reads: Partial<Sides<CohortRead>> = {};
  const wanted = (['train', 'test', 'synthetic'] as const).filter((side) => paths[side] !== undefined);
  for (const [step, side] of wanted.entries()) {
    yield { step, of: wanted.length, phase: `reading ${side}` };
    const read = await readCohort(paths[side] as string, given);
    reads[side] = read;
  }
  const labeled = await withPhenotypes(reads as Sides<CohortRead>);
  return { reads: labeled, sides: wanted.map((side) => sideRead(side, labeled[side] as CohortRead)) };
}

const nameOf = (path: string): string => {
  const name = basename(resolve(path)).replace(/\.gz$/, '');
  return name.slice(0, name.length - extname(name).length) || name;
};

const cautions = (
  { metrics }: EvaluationRequest,
  train: TokenCohort,
  holdout: VisitColumns,
  shared: SharedPatients | undefined,
): string[] => {
  const notes: string[] = [];
  if (needsValidation(metrics) && patientCount(inPart(train, 'validation')) === 0)
    notes.push('train brings no validation patients: for utility one in ten of its patients is set aside');
  if (patientCount(holdout) === 0)
    notes.push(
      'there are no test patients: numbers that need real patients whom no generator saw are left out',
    );
  const problem = notStrangers(shared);
  if (problem !== undefined) notes.push(`${problem}, so checks that need strangers are inconclusive`);
  return notes;
};

/** The baseline beside the cohort, whatever the cohort is called, unless there is nothing to compute. */
async function* scoredBaseline(
  scoring: Scoring,
  metrics: readonly Metric[],
): AsyncSteps<ScoredCohort | undefined> {
  if (metrics.length === 0) return undefined;
  const { card, series } = yield* scoreFamilies(yield* baselineScoring(scoring, metrics));
  return { card: { ...card, baseline: true }, series };
}

/**
 * Reads the sides, puts them into one vocabulary and computes the metrics. Where a cohort brings a split,
 * train are its training patients and test its holdout; without a test side the holdout of train takes its
 * place. Throws as the readers, `alignCohorts` and the metrics do. The same patients and request give the
 * same numbers.
 */
export async function* evaluateCohorts(request: EvaluationRequest): AsyncSteps<Evaluation> {
  const model: Model | undefined =
    request.model === undefined ? undefined : await readModelFolder(request.model);
  const { reads, sides } = yield* readSides(request);
  const cohorts = {
    train: reads.train.cohort,
    synthetic: reads.synthetic.cohort,
    ...(reads.test ? { test: reads.test.cohort } : {}),
  };
  const aligned = alignCohorts(cohorts, model?.vocabulary);
  const { vocabulary, train, test, synthetic } = aligned;
  if (model) checkModelCodes(model, vocabulary);
  const holdout = test ? members(test, 'holdout', 'test') : inPart(train, 'holdout');
  const { seed, replicates, suppressBelow, metrics, options } = request;
  const scoring: Scoring = {
    generator: synthetic.generator ?? model?.card.generator ?? nameOf(request.paths.synthetic),
    vocabulary,
    train: members(train, 'train', 'train'),
    validation: inPart(train, 'validation'),
    holdout,
    synthetic,
    metrics,
    seed,
    replicates,
    suppressBelow,
    options,
    model: model && (() => openModel(model)),
    learner: model?.card,
  };
  const scored = yield* scoreFamilies(scoring);
  const baseline = yield* scoredBaseline(scoring, baselineMetrics(metrics, request.baseline));
  return {
    ...scored,
    baseline,
    vocabulary,
    sides,
    notes: [...aligned.notes, ...cautions(request, train, holdout, scored.card.cohorts.shared)],
    curve: model?.curve,
  };
}
