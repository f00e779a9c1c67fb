import type { MetricRow } from '../../schemas/scorecard.ts';
import { type Cell, cellOfGenerator, type MetricTable, tableRow } from './metric-tables.ts';
import { decimal } from './number-format.ts';
import { leading } from './ranking.ts';

export type Outcome = 'passed' | 'failed' | 'unknown';

/** How one generator came out of one check. */
export interface Verdict {
  generator: string;
  outcome: Outcome;
  value: number | null;
  interval?: [number, number];
  /** Why it is not known. */
  why?: string;
}

/** A question to the rows with a stated threshold. */
export interface Check {
  family: MetricRow['family'];
  metric: string;
  row: string;
  title: string;
  /** In a list: `exact copies`. */
  short: string;
  rule: string;
  verdicts: Verdict[];
}

interface Rule {
  family: MetricRow['family'];
  metric: string;
  row: string;
  title: string;
  short: string;
  better: 'higher' | 'lower';
  /** A whole interval on the wrong side of it fails. */
  limit: number;
  /** An interval that keeps to the right side of it passes, unless it failed. */
  bound: number;
  /** Where the limit comes from: `guessing`. */
  limitIs: string;
}

const privacyRules = (
  [
    [
      'strongest-attack',
      'auc',
      'No attack tells training patients from others',
      'strongest attack',
      0.5,
      0.6,
      'guessing',
    ],
    [
      'strongest-attack',
      'tpr-at-1-percent',
      'No attack is sure of single training patients',
      'members found at 1% false alarms',
      0.01,
      0.05,
      'guessing at 1% false alarms',
    ],
    [
      'copies',
      'exact-excess',
      'No training patient is copied exactly',
      'exact copies',
      0,
      0.01,
      "the holdout's own rate",
    ],
    [
      'copies',
      'near-excess',
      'No training patient is nearly copied',
      'near copies',
      0,
      0.05,
      "the holdout's own rate",
    ],
    [
      'nearest-neighbor-accuracy',
      'loss',
      'Training patients are no nearer than other real patients',
      'nearest neighbors',
      0,
      0.05,
      'no difference',
    ],
    [
      'attribute-inference',
      'excess',
      'Hidden codes are guessed no better than from other real patients',
      'attributes',
      0,
      0.05,
      'what real patients give away',
    ],
    [
      'identity-disclosure',
      'risk',
      'Identity risk is acceptable',
      'identity risk',
      0.09,
      0.09,
      'the customary threshold',
    ],
  ] as const
).map(
  ([metric, row, title, short, limit, bound, limitIs]): Rule => ({
    family: 'privacy',
    metric,
    row,
    title,
    short,
    better: 'lower',
    limit,
    bound,
    limitIs,
  }),
);

const ruleText = ({ better, limit, bound, limitIs }: Rule): string => {
  const [wrong, right] = better === 'lower' ? ['above', 'below'] : ['below', 'above'];
  const edge = decimal(limit);
  if (limit === bound)
    return `Failed if the whole interval lies ${wrong} ${edge} (${limitIs}), passed if it lies ${right}, not known if it spans it.`;
  return `Failed if the whole interval lies ${wrong} ${edge} (${limitIs}). Passed if it does not, and ends ${right} ${decimal(bound)}. Not known if it is wider.`;
};

/** Judged as if lower were better: the other direction is its mirror. */
const judge = (rule: Rule, cell: Cell | undefined): Pick<Verdict, 'outcome' | 'why'> => {
  if (cell === undefined) return { outcome: 'unknown', why: 'not measured' };
  const { value, interval, note } = cell;
  if (value === null) return { outcome: 'unknown', why: note ?? 'not defined' };
  const sign = rule.better === 'lower' ? 1 : -1;
  const [limit, bound] = [sign * rule.limit, sign * rule.bound];
  if (!interval) {
    if (sign * value > bound) return { outcome: 'failed', why: 'without an interval' };
    if (sign * value <= limit) return { outcome: 'passed', why: 'without an interval' };
    return { outcome: 'unknown', why: 'there is no interval to tell it from chance' };
  }
  const ends = interval.map((end) => sign * end);
  if (Math.min(...ends) > limit) return { outcome: 'failed' };
  if (Math.max(...ends) <= bound) return { outcome: 'passed' };
  return { outcome: 'unknown', why: 'the interval is too wide: too few patients' };
};

const check = (rule: Rule, tables: readonly MetricTable[], generators: readonly string[]): Check[] => {
  const row = tableRow(tables, rule.metric, rule.row);
  if (!row) return [];
  const { family, metric, row: name, title, short } = rule;
  const verdicts = generators.map((generator): Verdict => {
    const cell = cellOfGenerator(row, generator);
    const { value = null, interval } = cell ?? {};
    return { generator, value, ...(interval && { interval }), ...judge(rule, cell) };
  });
  return [{ family, metric, row: name, title, short, rule: ruleText(rule), verdicts }];
};

/** Above the floor's own value or not: what a model must have learned beyond single codes. */
const pairsRule = (tables: readonly MetricTable[], floor: string): Rule[] => {
  const limit = cellOfGenerator(tableRow(tables, leading.metric, leading.row), floor)?.value ?? null;
  if (limit === null) return [];
  const title = 'Codes go together as they do in real patients, better than by chance';
  return [
    {
      family: 'similarity',
      ...leading,
      title,
      short: 'pairs of codes',
      better: 'higher',
      limit,
      bound: limit,
      limitIs: 'the floor',
    },
  ];
};

/** Every check that the rows allow, each with a verdict per generator; the floor is not judged by itself. */
export const checksOf = (
  tables: readonly MetricTable[],
  generators: readonly { name: string; isFloor: boolean }[],
): Check[] => {
  const names = generators.map(({ name }) => name);
  const floor = generators.find(({ isFloor }) => isFloor)?.name;
  const models = names.filter((name) => name !== floor);
  return [
    ...(floor === undefined ? [] : pairsRule(tables, floor)).flatMap((rule) => check(rule, tables, models)),
    ...privacyRules.flatMap((rule) => check(rule, tables, names)),
  ];
};
