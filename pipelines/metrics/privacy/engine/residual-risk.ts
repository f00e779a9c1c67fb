import type { PartialRow } from '../../metric.ts';
import { heldOut, measureRow } from '../../rows/measure-row.ts';
import type { Interval } from '../../statistics/bootstrap.ts';
import { type Measure, measured, missing } from '../../statistics/measure.ts';
import { independentDifference, wilsonInterval } from '../../statistics/normal.ts';

/**
 * How often an attack succeeded. Successes are no whole number where an attacker has to guess among equals.
 */
export interface Tried {
  successes: number;
  attacks: number;
}

/** One attack on training patients, the same on others, and what guessing would reach. */
export interface ResidualRisk {
  attack: Measure;
  /** The same attack on real non-members. */
  control: Measure;
  /** Guessing, without a look at the synthetic records. */
  baseline: Measure;
  /** (attack − control) / (1 − control): of what the control leaves, the part that the attack takes. */
  risk: Measure;
}

const cut = (value: number): number => Math.max(-1, Math.min(1, value));

/** (attack − control) / (1 − control), from −1 to 1; null where the control leaves nothing. */
export const residual = (attack: number, control: number): number | null =>
  control >= 1 ? null : cut((attack - control) / (1 - control));

/** The residual risk of two rates with their intervals; below 0 where the control succeeds more often. */
const riskOf = (attack: Measure, control: Measure): Measure => {
  const { n } = attack;
  if (attack.value === null) return attack;
  if (control.value === null) return control;
  const left = 1 - control.value;
  if (left <= 0)
    return missing('every attack on real non-members succeeds, so nothing is left to compare', n);
  const value = cut((attack.value - control.value) / left);
  if (!attack.interval || !control.interval) return measured(value, n);
  const [low, high] = independentDifference(
    { value: attack.value, interval: attack.interval },
    { value: control.value, interval: control.interval },
  );
  return measured(value, n, [cut(low / left), cut(high / left)]);
};

const rate = ({ successes, attacks }: Tried, hasInterval: boolean, scale = 1): Measure => {
  const share = successes / attacks;
  const scaled = (of: number) => Math.min(1, scale * of);
  const interval: Interval = wilsonInterval(share, attacks);
  return measured(
    scaled(share),
    attacks,
    hasInterval ? [scaled(interval[0]), scaled(interval[1])] : undefined,
  );
};

/**
 * Rates with Wilson's intervals, and the risk that is left after the control (Giomi et al., PoPETs 2023,
 * section 4). The interval of the risk is that of the difference of two rates (MOVER), so it excludes 0
 * exactly where the rates differ. `scale` multiplies the control's rate, where training has so many times as
 * many patients and success grows with them.
 */
export const residualRisk = (
  tried: { attack: Tried; control: Tried; baseline: Tried },
  { replicates, scale = 1 }: { replicates: number; scale?: number },
): ResidualRisk => {
  const attack = rate(tried.attack, replicates > 0);
  const control = rate(tried.control, replicates > 0, scale);
  const baseline = rate(tried.baseline, false);
  return { attack, control, baseline, risk: riskOf(attack, control) };
};

/** The same without numbers, and why. */
export const noRisk = (note: string): ResidualRisk => {
  const none = missing(note);
  return { attack: none, control: none, baseline: none, risk: none };
};

/** Rows of an attack: its risk, and its rate beside those of the control and of guessing. */
export const riskRows = (
  { attack, control, baseline, risk }: ResidualRisk,
  { title, success, guess }: { title: string; success: string; guess: string },
): PartialRow[] => {
  const isWeak = attack.value !== null && baseline.value !== null && attack.value <= baseline.value;
  return [
    measureRow(
      {
        row: 'risk',
        title: `${title}, risk`,
        about: `(attack − control) / (1 − control), where the control is the same attack on real non-members (patients not used for training); ${success}`,
      },
      risk,
      {
        range: [-1, 1],
        note: isWeak ? 'The attack succeeds no more often than guessing, so it shows little.' : undefined,
      },
    ),
    measureRow(
      {
        row: 'attack',
        title: `${title}, success of the attack`,
        about: success,
      },
      attack,
      { ...heldOut(control), range: [0, 1] },
    ),
    measureRow({ row: 'baseline', title: `${title}, success of guessing`, about: guess }, baseline, {
      range: [0, 1],
    }),
  ];
};
