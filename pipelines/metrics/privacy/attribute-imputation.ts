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
  'Computed as the PromptEHR paper says: the prior has learned from the very patients who are attacked, hidden codes and all, so it knows best where the attack should succeed; a cohort that copies them word for word comes out at 0.5.';

const aucAbout =
  'chance that a code which is there is believed more than one which is not: 0.5 is guessing. A code is believed as far as the model finds it likelier than the prior does';

/** One attack in its rows: `holdout` is the control, where real strangers stand in for synthetic patients. */
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
    row('auc', 'AUC of believed codes', aucAbout, attack.auc, control.auc),
    ...thresholds.flatMap((threshold, i) => {
      const at = (result: BeliefResult) => result.atThresholds[i] ?? nothing;
      const believed = `believed: found at least ${threshold === 0 ? 'as likely as' : `e^${threshold} times as likely as`} by the prior`;
      const told = (name: string, heading: string, about: string, of: keyof typeof nothing) =>
        row(
          `${name}-at-delta-${threshold}`,
          `${heading} at δ = ${threshold}`,
          about,
          at(attack)[of],
          at(control)[of],
        );
      return [
        told(
          'found',
          'Hidden codes found',
          `share of the hidden codes that are ${believed}`,
          'truePositiveRate',
        ),
        told(
          'accused',
          'Absent codes believed',
          `share of the codes a patient does not have that are ${believed}`,
          'falsePositiveRate',
        ),
        told(
          'right',
          'Beliefs that are right',
          `share of the believed codes that the patient has; ${believed}`,
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
      title: 'AUC beyond that on people nobody trained on',
      about:
        'AUC of guessing hidden codes of training patients, less that of the same attack on real patients nobody trained on: what the synthetic cohort gives away of its own training patients',
    },
    found.excess,
    { note },
  ),
  measureRow(
    {
      row: 'beyond-control',
      title: 'AUC beyond that of the control',
      about:
        'AUC of the attack less that of the control, which learns from real patients nobody trained on; there may be more synthetic patients to learn from than real ones, so this is above 0 where nothing leaks too',
    },
    found.beyondControl,
  ),
  ...attackRows(found.attack, found.control, thresholds),
  measureRow(
    {
      row: 'control-auc',
      title: 'AUC of believed codes, control',
      about: `${aucAbout}; the model learns from real patients nobody trained on`,
    },
    found.control.auc,
    share,
  ),
  measureRow(
    {
      row: 'strangers-auc',
      title: 'AUC of believed codes, of people nobody trained on',
      about: `${aucAbout}; the same attack, asked about real patients nobody trained on`,
    },
    found.strangers.auc,
    share,
  ),
  ...attackRows(found.published.attack, found.published.control, thresholds, {
    prefix: 'reference-promptehr-',
    title: ', as the paper has it',
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
  title: 'Attribute inference by imputation',
  about:
    "Who knows all of a training patient's record but one code: does a model trained on the synthetic cohort tell them whether the code is there, beyond what is known of people in general?",
  better: 'lower',
  range: [-1, 1],
  needs: ['train', 'holdout', 'synthetic'],
  reference: 'none',
  trains: true,
  headline: { excess: 'Hidden codes, excess AUC' },
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
      .describe('how many, where `codes` says nothing'),
    leastPatients: z
      .int()
      .positive()
      .default(imputationDefaults.leastPatients)
      .describe('attacked patients who have a code, and who have it not, for it to be among them'),
    size: z.int().positive().default(imputationDefaults.size).describe('most training patients attacked'),
    thresholds: z
      .array(z.number())
      .default([...imputationDefaults.thresholds])
      .describe('δ: a code is believed where ln P̂ − ln P0 ≥ δ'),
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
