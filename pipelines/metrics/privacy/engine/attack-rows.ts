import type { MetricResult, PartialRow, Series } from '../../metric.ts';
import { measureRow } from '../../rows/measure-row.ts';
import { type AttackResult, falsePositiveRates } from './attack-scores.ts';

/**
 * One way to make an attack: `''` is ours, the published ones have a prefix that begins with `reference-`.
 */
export interface AttackVariant {
  prefix: string;
  /** Added to the titles: `, as HALO's script does it`. */
  title: string;
  note?: string;
}

export const ours: AttackVariant = { prefix: '', title: '' };

/** Begins the rows of attacks that are trained on the patients they then classify: no evidence of a leak. */
export const trainedOnTargetsPrefix = 'reference-promptehr-';

const percent = (rate: number): string => `${100 * rate}`;

/** Rows of one membership attack: the whole curve in three ways, then what one threshold reaches. */
const attackRows = (attack: AttackResult, { prefix, title, note }: AttackVariant): PartialRow[] => {
  const more = { note };
  const row = (name: string, heading: string, about: string) => ({
    row: `${prefix}${name}`,
    title: `${heading}${title}`,
    about,
  });
  const { auc, truePositiveRates, atBest, atMedian } = attack;
  const rates = falsePositiveRates.map((rate, i) =>
    measureRow(
      row(
        `tpr-at-${percent(rate)}-percent`,
        `True positive rate at ${percent(rate)} % false positives`,
        `share of training patients identified while at most ${percent(rate)} % of the non-members are classified wrongly; guessing gives ${percent(rate)} %`,
      ),
      truePositiveRates[i] as AttackResult['auc'],
      more,
    ),
  );
  return [
    measureRow(
      row(
        'auc',
        'Attack AUC',
        'probability that the attack ranks a training patient above a non-member: 0.5 is guessing, 1 is certainty',
      ),
      auc,
      more,
    ),
    ...rates,
    measureRow(
      row(
        'accuracy',
        'Attack accuracy at its best threshold',
        'share of patients classified correctly by the threshold that is best for these very patients: the most one threshold could reach',
      ),
      atBest.accuracy,
      more,
    ),
    measureRow(row('f1', 'Attack F1 at its best threshold', 'F1 at that same threshold'), atBest.f1, more),
    ...(['accuracy', 'precision', 'recall', 'f1'] as const).map((name) =>
      measureRow(
        row(
          `median-${name}`,
          `Attack ${name} at the median`,
          `${name} when all patients who score above the median of all are classified as training patients, the papers' rule`,
        ),
        atMedian[name],
        more,
      ),
    ),
  ];
};

/** The ROC curves of several variants, for a plot each: rates, no patients. */
const rocSeries = (attacks: readonly [AttackVariant, AttackResult][]): Record<string, Series> =>
  Object.fromEntries(
    attacks
      .filter(([, { curve }]) => curve.falsePositive.length > 0)
      .map(([{ prefix }, { curve }]) => [`${prefix}roc`, curve]),
  );

/** What a metric gives of its attacks: rows, curves, and what they would be if nothing leaked. */
export const attackResult = (attacks: readonly [AttackVariant, AttackResult][]) =>
  ({
    rows: attacks.flatMap(([variant, attack]) => attackRows(attack, variant)),
    series: rocSeries(attacks),
    permuted: Object.fromEntries(
      attacks.flatMap(([{ prefix }, { permuted }]) => (permuted ? [[prefix, permuted]] : [])),
    ),
  }) satisfies MetricResult;
