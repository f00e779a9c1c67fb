import { z } from 'zod';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import { defineMetric, type PartialRow, type Series } from '../metric.ts';
import { measureRow } from '../rows/measure-row.ts';
import { type Measure, missing } from '../statistics/measure.ts';
import {
  attributeImputation,
  type ImputationResult,
  imputationDefaults,
} from './engine/attribute-imputation.ts';
import type { BeliefResult } from './engine/belief-scores.ts';
import { defined, recordTrainingOptions } from './engine/record-training-options.ts';

const share: Partial<PartialRow> = { range: [0, 1] };

const publishedNote =
  'Computed as in the PromptEHR paper: the prior is trained on the very patients who are attacked, with their hidden codes, so it is best where the attack should succeed; a cohort of exact copies gets 0.5.';

const aucAbout =
  'probability that a code the patient has scores above one the patient does not have: 0.5 is guessing. The score is the log ratio of the model’s probability to the prior’s';

/**
 * One attack in its rows: `holdout` is the control, where real non-members stand in for synthetic patients.
 */
const attackRows = (
  attack: BeliefResult,
  control: BeliefResult,
  thresholds: readonly number[],
  { prefix = '', title = '', note }: { prefix?: string; title?: string; note?: string } = {},
): PartialRow[] => {
  const more = { ...share, note };
  const row = (name: string, heading: string, about: string, value: Measure, reference: Measure) =>
    measureRow({ row: `${prefix}${name}`, title: `${heading}${title}`, about }, value, {
      ...more,
      holdout: reference.value,
    });
  const none = missing(attack.auc.note ?? '');
  const nothing = { truePositiveRate: none, falsePositiveRate: none, precision: none };
  return [
    row('auc', 'AUC of inferred codes', aucAbout, attack.auc, control.auc),
    ...thresholds.flatMap((threshold, i) => {
      const at = (result: BeliefResult) => result.atThresholds[i] ?? nothing;
      const inferred = `inferred: at least ${threshold === 0 ? 'as probable as' : `e^${threshold} times as probable as`} under the prior`;
      const rateRow = (name: string, heading: string, about: string, of: keyof typeof nothing) =>
        row(
          `${name}-at-delta-${threshold}`,
          `${heading} at δ = ${threshold}`,
          about,
          at(attack)[of],
          at(control)[of],
        );
      return [
        rateRow(
          'found',
          'True positive rate',
          `share of the hidden codes that are ${inferred}`,
          'truePositiveRate',
        ),
        rateRow(
          'accused',
          'False positive rate',
          `share of the codes a patient does not have that are ${inferred}`,
          'falsePositiveRate',
        ),
        rateRow(
          'right',
          'Precision',
          `share of the inferred codes that the patient has; ${inferred}`,
          'precision',
        ),
      ];
    }),
  ];
};

const rowsOf = (found: ImputationResult, thresholds: readonly number[], note?: string): PartialRow[] => [
  measureRow(
    {
      row: 'excess',
      title: 'AUC advantage',
      about:
        'AUC of inferring hidden codes of training patients, less that of the same attack on real non-members (patients not used for training): what the synthetic cohort discloses about its training patients',
    },
    found.excess,
    { note },
  ),
  measureRow(
    {
      row: 'beyond-control',
      title: 'AUC advantage over the control',
      about:
        'AUC of the attack less that of the control, which is trained on real non-members; there may be more synthetic patients than real ones to train on, so this can be above 0 without any leak',
    },
    found.beyondControl,
  ),
  ...attackRows(found.attack, found.control, thresholds),
  measureRow(
    {
      row: 'control-auc',
      title: 'AUC of inferred codes, control',
      about: `${aucAbout}; the model is trained on real non-members`,
    },
    found.control.auc,
    share,
  ),
  measureRow(
    {
      row: 'strangers-auc',
      title: 'AUC of inferred codes, non-members',
      about: `${aucAbout}; the same attack on real non-members`,
    },
    found.strangers.auc,
    share,
  ),
  ...attackRows(found.published.attack, found.published.control, thresholds, {
    prefix: 'reference-promptehr-',
    title: ', as published',
    note: publishedNote,
  }),
];

const seriesOf = ({ attack, control, strangers, published }: ImputationResult): Record<string, Series> => {
  const arms: [string, BeliefResult][] = [
    ['', attack],
    ['control-', control],
    ['strangers-', strangers],
    ['reference-promptehr-', published.attack],
  ];
  return Object.fromEntries(
    arms
      .filter(([, { curve }]) => curve.falsePositive.length > 0)
      .flatMap(([prefix, { curve, sweep }]) => [
        [`${prefix}roc`, curve],
        [`${prefix}sweep`, sweep],
      ]),
  );
};

/** Tokens of codes by their names, as `dx:042`, and the names that the vocabulary has not. */
const tokensOf = ({ codes }: Vocabulary, names: readonly string[]) => {
  const tokens = new Map(codes.map(({ modality, code }, token) => [`${modality}:${code}`, token]));
  return {
    known: names.flatMap((name) => tokens.get(name) ?? []).sort((a, b) => a - b),
    unknown: names.filter((name) => !tokens.has(name)),
  };
};

/**
 * PromptEHR (Wang and Sun 2022), sections 3.6 and 4.4; no code of it is published: docs/privacy-metrics.md.
 */
export default defineMetric({
  name: 'attribute-imputation',
  family: 'privacy',
  title: 'Attribute inference (imputation)',
  about:
    "The attacker knows all of a training patient's record but one code: does a model trained on the synthetic cohort reveal whether the patient has that code, beyond what is known of patients in general?",
  better: 'lower',
  range: [-1, 1],
  needs: ['train', 'holdout', 'synthetic'],
  reference: 'none',
  trains: true,
  headline: { excess: 'Attribute inference (imputation), AUC advantage' },
  options: z.object({
    codes: z
      .array(z.string())
      .min(1)
      .optional()
      .describe('what is hidden, as `dx:042`; default: codes from common to rare'),
    codeCount: z
      .int()
      .positive()
      .default(imputationDefaults.codeCount)
      .describe('how many, where `codes` is not given'),
    leastPatients: z
      .int()
      .positive()
      .default(imputationDefaults.leastPatients)
      .describe('attacked patients who must have a code, and who must not have it, for it to be used'),
    size: z.int().positive().default(imputationDefaults.size).describe('most training patients attacked'),
    thresholds: z
      .array(z.number())
      .default([...imputationDefaults.thresholds])
      .describe('δ: a code is inferred where ln P̂ − ln P0 ≥ δ'),
    training: recordTrainingOptions,
  }),
  async *compute({ train, holdout, synthetic, vocabulary, seed, replicates, options }) {
    const { codes: names, training, ...given } = options;
    const chosen = names && tokensOf(vocabulary, names);
    const found = yield* attributeImputation({ train, test: holdout, synthetic }, vocabulary, {
      ...given,
      codes: chosen?.known,
      training: defined(training),
      seed,
      replicates,
    });
    const unknown = chosen?.unknown ?? [];
    const note =
      unknown.length > 0 ? `Not in the vocabulary, and left out: ${unknown.join(', ')}.` : undefined;
    return { rows: rowsOf(found, given.thresholds, note), series: seriesOf(found) };
  },
});
