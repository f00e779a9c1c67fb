import { decimal } from '../kernel/number-format.ts';
import { hasWidth } from '../metrics/statistics/bootstrap.ts';
import {
  independentDifference,
  normalQuantile,
  widened,
  wilsonInterval,
} from '../metrics/statistics/normal.ts';
import { casesOf, type RealFirst, type Rule } from './check-rules.ts';
import { cellOfGenerator, type MetricTable, type TableRow, tableRow } from './metric-tables.ts';

export type Outcome = 'passed' | 'failed' | 'unknown';

/** How one number stands to its rule. */
export interface Finding {
  outcome: Outcome;
  /** What was judged: the row's value, or its difference from another number. */
  value: number | null;
  /** 95 % of `value`, not widened for the number of checks. */
  interval?: [number, number];
  /** Why it is inconclusive, or what else to know of the number. */
  why?: string;
  /**
   * How many times as many patients would settle an inconclusive check if the value stayed where it is, since
   * the width of an interval shrinks with the square root of their number. Null where no number of them
   * would, or none can be stated; absent also where `why` states how many are needed.
   */
  timesPatients?: number | null;
}

/** What is judged, before it is: a value and an interval that means something, or why there is none. */
interface Judged {
  value: number;
  interval: [number, number];
  /** Where the widened interval is cut. */
  range: [number, number];
}
type Lack = Finding & { outcome: 'unknown' };

const lack = (value: number | null, why: string, timesPatients: number | null = null): Lack => ({
  outcome: 'unknown',
  value,
  why,
  timesPatients,
});

const everywhere: [number, number] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
const rangeOf = ({ range }: TableRow, tables: readonly MetricTable[], metric: string): [number, number] => {
  const [least, greatest] = range ?? tables.find((table) => table.metric === metric)?.range ?? [null, null];
  return [least ?? everywhere[0], greatest ?? everywhere[1]];
};

const withoutInterval = 'without an interval, chance cannot be excluded';
const withoutWidth =
  'all resamples agree, which shows that they cannot vary here, not that the value is certain';

/** The number that a rule is about, where it has an interval with a width. */
const judgedOf = (rule: Rule, tables: readonly MetricTable[], generator: string): Judged | Lack => {
  const row = tableRow(tables, rule.metric, rule.row);
  if (!row) return lack(null, 'suppressed, or not computed: no scorecard reports it');
  const cell = cellOfGenerator(row, generator);
  if (!cell) return lack(null, 'not measured');
  const { value, note, n } = cell;
  if (value === null) return lack(null, note ?? 'not defined');
  if (cell.unresolved) {
    const few = note ?? 'too few patients for a verdict';
    const why = rule.leastOthers ? `${few} A pass needs ${rule.leastOthers} non-members or more` : few;
    return { ...lack(value, why), interval: cell.interval, timesPatients: undefined };
  }
  const exact = rule.isShare && cell.interval && !hasWidth(cell.interval) && n > 0;
  const interval = exact ? wilsonInterval(value, n) : cell.interval;
  if (!interval) return lack(value, withoutInterval);
  if (!rule.less) {
    if (!hasWidth(interval)) return lack(value, withoutWidth);
    return { value, interval, range: rangeOf(row, tables, rule.metric) };
  }
  const { is, generator: whose = generator } = rule.less;
  const other = cellOfGenerator(tableRow(tables, rule.metric, rule.less.row), whose);
  if (!other || other.value === null) return lack(null, `there is no value of ${is} to compare with`);
  const difference = value - other.value;
  if (!other.interval) return lack(difference, `${is} has no interval, so its own spread is not known`);
  const between = independentDifference(
    { value, interval },
    { value: other.value, interval: other.interval },
  );
  if (!hasWidth(between)) return lack(difference, withoutWidth);
  return { value: difference, interval: between, range: everywhere };
};

/** Why real patients do not show what there is to learn; nothing where they do. */
const realFails = (
  { real, trivial, trivialIs }: RealFirst,
  metric: string,
  tables: readonly MetricTable[],
  generator: string,
): string | undefined => {
  const rows = tables.find((table) => table.metric === metric)?.rows ?? [];
  const patients = ({ row }: TableRow) => Number(real.exec(row)?.[1] ?? 0);
  const found = rows
    .filter(({ row }) => real.test(row))
    .map((row) => ({ row, cell: cellOfGenerator(row, generator) }))
    .filter(({ cell }) => cell?.value != null)
    .sort((a, b) => patients(b.row) - patients(a.row))[0]?.cell;
  const needs = `whether real patients beat ${trivialIs} is open`;
  if (found?.value == null) return `${needs}: there is no predictor trained on them`;
  if (!found.interval) return `${needs}: their predictor has no interval`;
  const guess =
    'value' in trivial
      ? { value: trivial.value, interval: [trivial.value, trivial.value] as const }
      : cellOfGenerator(tableRow(tables, metric, trivial.row), generator);
  if (guess?.value == null || !guess.interval) return `${needs}: there is no interval to compare with`;
  const [low] = independentDifference(
    { value: found.value, interval: found.interval },
    { value: guess.value, interval: guess.interval },
  );
  if (low > 0) return undefined;
  return `real patients do not certainly beat ${trivialIs} (${decimal(found.value)} against ${decimal(guess.value)}), so being as good as they are shows nothing`;
};

/** The ratio of numbers of patients at which `half` shrinks to `room`. */
const shrunk = (half: number, room: number): number =>
  room > 0 ? (half / room) ** 2 : Number.POSITIVE_INFINITY;

/** p-values up to this count as a leak, divided by the number of checks that are made at once. */
export const permutationLevel = 0.05;

/** As `judge`, for a rule whose failures follow from a permutation test. */
const judgePermuted = (
  rule: Rule,
  tables: readonly MetricTable[],
  generator: string,
  checks: number,
): Finding => {
  const cell = cellOfGenerator(tableRow(tables, rule.metric, rule.row), generator);
  const { value = null, interval, pValue } = cell ?? {};
  // What too few patients can resolve is no pass; but a leak that they show all the same is one.
  if (value !== null && pValue !== undefined && pValue <= permutationLevel / checks)
    return { outcome: 'failed', value, interval, why: `p = ${pValue.toPrecision(2)}` };
  const judged = judgedOf(rule, tables, generator);
  if ('outcome' in judged) return judged;
  const found = (outcome: Outcome, why: string, timesPatients?: number | null): Finding => ({
    ...{ outcome, value: judged.value, interval: judged.interval, why },
    timesPatients,
  });
  if (pValue === undefined)
    return found('unknown', 'without a permutation test, chance cannot be excluded', null);
  const p = `p = ${pValue.toPrecision(2)}`;
  if (pValue <= permutationLevel) {
    const needed = normalQuantile(1 - permutationLevel / checks) / normalQuantile(1 - pValue);
    return found(
      'unknown',
      `unlikely by chance by itself (${p}), not when ${checks} checks are made at once`,
      needed ** 2,
    );
  }
  const over = judged.interval[1] - judged.value;
  if (judged.interval[1] <= rule.bound) return found('passed', p);
  const times = shrunk(over, rule.bound - judged.value);
  return found('unknown', `the interval is too wide (${p})`, Number.isFinite(times) ? times : null);
};

/**
 * Compares one generator's number with a rule. A failure is judged by the interval widened for `checks`
 * checks, of which one is enough to fail a generator; a pass by the plain one, because a generator passes
 * only if all of its checks do, and that needs no correction (intersection-union test: Berger, Technometrics
 * 24, 1982).
 */
export const judge = (
  rule: Rule,
  tables: readonly MetricTable[],
  generator: string,
  checks: number,
): Finding => {
  if (rule.permuted !== undefined) return judgePermuted(rule, tables, generator, checks);
  const judged = judgedOf(rule, tables, generator);
  if ('outcome' in judged) return judged;
  const { value, interval } = judged;
  const wide = widened(value, interval, checks, judged.range);
  // From here on as if lower were better; the other direction is its mirror image.
  const sign = rule.better === 'lower' ? 1 : -1;
  const mirrored = (ends: readonly [number, number]): [number, number] =>
    sign === 1 ? [ends[0], ends[1]] : [-ends[1], -ends[0]];
  const [limit, bound, at] = [sign * rule.limit, sign * rule.bound, sign * value];
  const fails = rule.isMargin ? bound : limit;
  const [best, worst] = mirrored(interval);
  const [bestOfWide] = mirrored(wide);
  const found = (outcome: Outcome, why?: string, timesPatients?: number | null): Finding => ({
    outcome,
    value,
    interval,
    why,
    timesPatients,
  });

  const toFail = shrunk(at - bestOfWide, at - fails);
  const passing = shrunk(worst - at, bound - at);
  // With so many patients the interval would have left the limit behind: no pass, but a step toward failing.
  const toPass = at > fails && passing > shrunk(at - best, at - fails) ? Number.POSITIVE_INFINITY : passing;
  const least = Math.min(toFail, toPass);
  const settles = Number.isFinite(least) ? Math.max(1, least) : null;

  const cases = rule.leastN === undefined ? 0 : casesOf(rule, tables, generator);
  if (rule.leastN !== undefined && cases < rule.leastN) {
    const isSettled = bestOfWide > fails || worst <= bound;
    const more = isSettled ? 1 : settles;
    const times = cases === 0 || more === null ? null : Math.max(more, rule.leastN / cases);
    return found('unknown', `measured on ${cases} ${rule.casesAre}; a verdict needs ${rule.leastN}`, times);
  }
  const reason = rule.realFirst && realFails(rule.realFirst, rule.metric, tables, generator);
  if (reason) return found('unknown', reason, null);
  if (bestOfWide > fails) return found('failed');
  if (best > fails)
    return found(
      'unknown',
      `beyond the limit by itself, not when ${checks} checks are made at once`,
      settles,
    );
  if (worst > bound) return found('unknown', 'the interval is too wide', settles);
  return best > limit ? found('passed', 'detectable, within the margin') : found('passed');
};
