import { createHash } from 'node:crypto';
import { canonicalJson } from '../../../schemas/canonical-json.ts';
import type { Scorecard } from '../../../schemas/scorecard.ts';
import { scorecardText } from '../../metrics/scorecard-file.ts';
import { reportPage } from '../../report/page.ts';
import { assembleReport, type LineageStep, type ReportData } from '../../report/report-data.ts';
import type { Evaluation } from './evaluate-cohorts.ts';

/** What the report says of how it was made, beside what the evaluation knows itself. */
export interface EvaluationSetting {
  title: string;
  suppressBelow: number;
  /** What decided the numbers: seed, replicates, modalities. */
  params: Record<string, unknown>;
  /** Digest of the source files that computed them. */
  code: string;
  engine: string;
}

/** Bump when the same cohorts and request should give other numbers. */
const version = 2;

const lineageOf = (
  { sides, card, baseline, notes }: Evaluation,
  setting: EvaluationSetting,
): LineageStep[] => {
  const { params, code, engine } = setting;
  const shared = { stage: 'evaluate', version, code, engine };
  const read = sides.map(({ side, layout, patients, digest, notes: own }) => ({
    ...shared,
    title: `read ${side}`,
    kind: 'token-cohort',
    digest,
    inputs: [],
    params: { layout, patients, notes: own },
    generator: side === 'synthetic' ? card.generator : undefined,
  }));
  const scored = (of: Scorecard, title: string) => ({
    ...shared,
    title,
    kind: 'scorecard',
    digest: createHash('sha256').update(canonicalJson(of)).digest('hex'),
    inputs: sides.map(({ digest }) => digest),
    params: { ...params, notes },
    generator: of.generator,
  });
  return [
    ...read,
    scored(card, `evaluate ${card.generator}`),
    ...(baseline ? [scored(baseline.card, `evaluate ${baseline.card.generator}, fitted to train`)] : []),
  ];
};

/** Names of the files that `evaluationFiles` gives; without a baseline there is no `baseline.json`. */
export const evaluationFileNames = ['scorecard.json', 'baseline.json', 'report.html', 'report.json'] as const;
export type EvaluationFile = (typeof evaluationFileNames)[number];

/**
 * Scorecard, page and its numbers as text, and the numbers themselves. The same evaluation and setting give the same bytes; no path of
 * this machine is in them. Small groups are reported in none of them.
 */
export const evaluationFiles = (
  evaluation: Evaluation,
  setting: EvaluationSetting,
): { data: ReportData; files: Partial<Record<EvaluationFile, string>> } => {
  const { card, series, baseline, vocabulary, curve } = evaluation;
  const { title, suppressBelow } = setting;
  const data = assembleReport({
    title,
    suppressBelow,
    vocabulary,
    cards: [{ card, series }, ...(baseline ? [baseline] : [])],
    curves: curve ? [{ generator: card.generator, curve }] : [],
    lineage: lineageOf(evaluation, setting),
  });
  const files = {
    'scorecard.json': scorecardText(card),
    ...(baseline && { 'baseline.json': scorecardText(baseline.card) }),
    'report.html': reportPage(data),
    'report.json': `${JSON.stringify(data, null, 2)}\n`,
  };
  return { data, files };
};
