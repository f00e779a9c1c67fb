import type { MetricRow } from '../../schemas/scorecard.ts';
import { decimal } from '../kernel/number-format.ts';
import { type Rule, rulesOf, theBaseline } from './check-rules.ts';
import { type Cell, cellOfGenerator, type MetricTable, tableRow } from './metric-tables.ts';

export type Outcome = 'passed' | 'failed' | 'unknown';

/** The result of one check for one generator. */
export interface Verdict {
  generator: string;
  outcome: Outcome;
  value: number | null;
  interval?: [number, number];
  /** Why it is inconclusive, or what else to know of the number. */
  why?: string;
}

/** One number compared with a stated threshold. */
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

const ruleText = ({ better, limit, bound, limitIs, isMargin, leastN }: Rule): string => {
  const [wrong, right] = better === 'lower' ? ['above', 'below'] : ['below', 'above'];
  const edge = decimal(limit);
  const few = leastN === undefined ? '' : ` Inconclusive on fewer than ${leastN} test cases.`;
  if (isMargin)
    return `Passed if the whole interval lies ${right} ${decimal(bound)}, failed if it lies ${wrong}, inconclusive if it spans it. ${edge} is as good as ${limitIs}.${few}`;
  if (limit === bound)
    return `Failed if the whole interval lies ${wrong} ${edge} (${limitIs}), passed if it lies ${right}, inconclusive if it spans it.${few}`;
  return `Failed if the whole interval lies ${wrong} ${edge} (${limitIs}). Passed if it does not, and ends ${right} ${decimal(bound)}. Inconclusive if it is wider.${few}`;
};

/** Judged as if lower were better; the other direction is its mirror image. */
const judge = (rule: Rule, cell: Cell | undefined): Pick<Verdict, 'outcome' | 'why'> => {
  if (cell === undefined) return { outcome: 'unknown', why: 'not measured' };
  const { value, interval, note, n } = cell;
  if (value === null) return { outcome: 'unknown', why: note ?? 'not defined' };
  if (cell.unresolved) return { outcome: 'unknown', why: note ?? 'too few patients for a verdict' };
  if (rule.leastN !== undefined && n < rule.leastN)
    return { outcome: 'unknown', why: `measured on ${n} test cases; a verdict needs ${rule.leastN}` };
  const sign = rule.better === 'lower' ? 1 : -1;
  const [limit, bound] = [sign * rule.limit, sign * rule.bound];
  const fails = rule.isMargin ? bound : limit;
  if (!interval) {
    if (sign * value > bound) return { outcome: 'failed', why: 'without an interval' };
    return { outcome: 'unknown', why: 'without an interval, chance cannot be excluded' };
  }
  const [best, worst] = interval.map((end) => sign * end).sort((a, b) => a - b) as [number, number];
  if (best > fails) return { outcome: 'failed' };
  if (worst <= bound)
    return best > limit
      ? { outcome: 'passed', why: 'a difference is certain, and it is within the margin' }
      : { outcome: 'passed' };
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

/**
 * Every check that the rows allow, each with a verdict per generator; the baseline is not judged by its own
 * value.
 */
export const checksOf = (
  tables: readonly MetricTable[],
  generators: readonly { name: string; isBaseline: boolean }[],
): Check[] => {
  const names = generators.map(({ name }) => name);
  const baseline = generators.find(({ isBaseline }) => isBaseline)?.name;
  const models = names.filter((name) => name !== baseline);
  return rulesOf(tables, baseline).flatMap((rule) =>
    check(rule, tables, rule.limitIs === theBaseline ? models : names),
  );
};
