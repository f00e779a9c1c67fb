import type { MetricRow } from '../../schemas/scorecard.ts';
import { decimal } from '../kernel/number-format.ts';
import { type Rule, rulesOf } from './check-rules.ts';
import { type Finding, judge, permutationLevel } from './judge.ts';
import { type MetricTable, tableRow } from './metric-tables.ts';

/** The result of one check for one generator. */
export interface Verdict extends Finding {
  generator: string;
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
  /** A failure counts; a result that is not passed does not keep the family from being good. */
  isGain?: true;
  /** Without a value it does not keep the family from being good: see Rule. */
  isAboutModel?: true;
  verdicts: Verdict[];
}

/** The rule in words, from the fields that decide it. */
const ruleText = (rule: Rule, checks: number): string => {
  const {
    better,
    limit,
    bound,
    limitIs,
    isMargin,
    permuted,
    leastN,
    casesAre,
    less,
    realFirst,
    leastOthers,
  } = rule;
  const [wrong, right] = better === 'lower' ? ['above', 'below'] : ['below', 'above'];
  const edge = decimal(limit);
  const whole = checks > 1 ? `whole interval, widened for ${checks} checks,` : 'whole interval';
  const sentences = [
    less &&
      `Judged is the difference from ${less.is}, with the spread of both as if they were independent, which is the cautious way.`,
    permuted !== undefined
      ? `Judged is p, the probability that the best of all attacks is as strong where nothing leaks, by ${permuted}, with members and non-members permuted. Failed if p is at most ${(permutationLevel / checks).toPrecision(2)}${checks > 1 ? ` (${permutationLevel} over ${checks} checks)` : ''}, passed if it is above ${permutationLevel} and the interval ends below ${decimal(bound)}, inconclusive otherwise.`
      : isMargin
        ? `Passed if the whole interval lies ${right} ${decimal(bound)}, failed if the ${whole} lies ${wrong}, inconclusive otherwise. ${edge} is as good as ${limitIs}.`
        : limit === bound
          ? `Failed if the ${whole} lies ${wrong} ${edge} (${limitIs}), passed if the plain one lies ${right}, inconclusive otherwise.`
          : `Failed if the ${whole} lies ${wrong} ${edge} (${limitIs}). Passed if the plain one does not, and ends ${right} ${decimal(bound)}. Inconclusive otherwise.`,
    leastOthers !== undefined && `Never passed on fewer than ${leastOthers} non-members.`,
    leastN !== undefined && `Inconclusive on fewer than ${leastN} ${casesAre}.`,
    realFirst && `Inconclusive unless real patients certainly beat ${realFirst.trivialIs}.`,
  ];
  return sentences.filter(Boolean).join(' ');
};

/** Whom a rule is about: all, or all but the baseline that they are compared with. */
const judgedBy = ({ less }: Rule, names: readonly string[]): string[] =>
  names.filter((name) => name !== less?.generator);

/**
 * Checks that are made of each generator at once: those that some interval could fail. The number depends on
 * what was measured, not on how many generators a run has: a verdict must not change with its neighbors.
 */
const checksAtOnce = (rules: readonly Rule[], tables: readonly MetricTable[]): number =>
  Math.max(
    1,
    rules.filter(({ metric, row }) => tableRow(tables, metric, row)?.values.some(({ interval }) => interval))
      .length,
  );

/** A generator as far as its checks depend on it. */
export interface JudgedGenerator {
  name: string;
  isBaseline: boolean;
  /** Why the real patients outside the training set are no strangers to it; absent where they are. */
  withoutStrangers?: string;
}

/** Every check of the metrics there are, each with a verdict per generator, and how many are made at once. */
export const checksOf = (
  tables: readonly MetricTable[],
  generators: readonly JudgedGenerator[],
): { checks: Check[]; atOnce: number } => {
  const names = generators.map(({ name }) => name);
  const rules = rulesOf(tables, generators.find(({ isBaseline }) => isBaseline)?.name);
  const atOnce = checksAtOnce(rules, tables);
  const checks = rules.map((rule): Check => {
    const { family, metric, row, title, short, isGain, isAboutModel } = rule;
    const verdicts = judgedBy(rule, names).map((generator): Verdict => {
      const finding = judge(rule, tables, generator, atOnce);
      const problem =
        !rule.needsNoStrangers && generators.find(({ name }) => name === generator)?.withoutStrangers;
      if (!problem) return { generator, ...finding };
      return { generator, outcome: 'unknown', value: finding.value, why: problem, timesPatients: null };
    });
    return {
      family,
      metric,
      row,
      title,
      short,
      rule: ruleText(rule, atOnce),
      isGain,
      isAboutModel,
      verdicts,
    };
  });
  return { checks, atOnce };
};
