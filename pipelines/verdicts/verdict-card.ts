import { families, type MetricRow } from '../../schemas/scorecard.ts';
import { counted, listed } from '../kernel/number-format.ts';
import { neededFor } from './check-rules.ts';
import type { Check } from './checks.ts';

export type Standing = 'good' | 'poor' | 'inconclusive';
type Family = MetricRow['family'];

/** How one generator stands in one family, and why. */
export interface FamilyVerdict {
  standing: Standing;
  /** `fails 2 of 9 checks: overfitting; near copies`. */
  reason: string;
  /** Short names of the checks behind it: the failed, else the open, else the passed ones. */
  checks: string[];
}

/** What a reader needs first: a row per generator, and one sentence. There is no single score. */
export interface VerdictCard {
  sentence: string;
  generators: ({ generator: string } & Record<Family, FamilyVerdict>)[];
}

interface Ran {
  generators: readonly { name: string; isBaseline: boolean }[];
  checks: readonly Check[];
  /** Names of the metrics that the scorecards hold. */
  metrics: readonly { metric: string; family: Family }[];
}

const most = 3;
/** The first few names, some of which have commas in them, and how many more there are. */
const some = (names: readonly string[]): string =>
  names.length <= most + 1
    ? names.join('; ')
    : `${names.slice(0, most).join('; ')}; and ${counted(names.length - most, 'other')}`;

const standingOf = (ran: Ran, family: Family, name: string, isBaseline: boolean): FamilyVerdict => {
  const measured = ran.metrics.filter((metric) => metric.family === family);
  const own = ran.checks
    .filter((check) => check.family === family)
    .flatMap(({ short, isGain, isAboutModel, verdicts }) =>
      verdicts
        .filter(({ generator }) => generator === name)
        .map(({ outcome, value }) => ({
          short,
          outcome,
          decides: !isGain && !(isAboutModel && value === null),
        })),
    );
  const failed = own.filter(({ outcome }) => outcome === 'failed').map(({ short }) => short);
  if (failed.length > 0)
    return {
      standing: 'poor',
      reason: `fails ${failed.length} of ${counted(own.length, 'check')}: ${some(failed)}`,
      checks: failed,
    };
  const inconclusive = (reason: string, checks: string[] = []): FamilyVerdict => ({
    standing: 'inconclusive',
    reason,
    checks,
  });
  if (measured.length === 0) return inconclusive('not measured');
  const absent = neededFor(family).filter(({ metric }) => !measured.some((found) => found.metric === metric));
  if (absent.length > 0) return inconclusive(`not measured: ${some(absent.map(({ short }) => short))}`);
  const deciding = own.filter(({ decides }) => decides);
  if (deciding.length === 0)
    return inconclusive(
      family !== 'similarity'
        ? 'measured, without a check that decides'
        : isBaseline
          ? 'it is the baseline that the others are compared with'
          : 'there is no baseline to compare with',
    );
  const open = deciding.filter(({ outcome }) => outcome === 'unknown').map(({ short }) => short);
  if (open.length > 0)
    return inconclusive(
      `${open.length} of ${counted(deciding.length, 'check')} inconclusive: ${some(open)}`,
      open,
    );
  const besides = own.filter(({ decides, outcome }) => !decides && outcome === 'unknown');
  return {
    standing: 'good',
    reason: `passes ${deciding.length === 1 ? (deciding[0]?.short ?? '') : `all ${deciding.length} checks that decide`}${
      besides.length > 0 ? `; inconclusive: ${some(besides.map(({ short }) => short))}` : ''
    }`,
    checks: deciding.map(({ short }) => short),
  };
};

/**
 * The release in one sentence, about the models; about the baseline where there are none. Privacy decides
 * whether it may be; the other two are named where they are poor.
 */
const sentenceOf = (rows: VerdictCard['generators']): string => {
  if (rows.length === 0) return 'Nothing to release: no generator reached a scorecard.';
  const names = (of: VerdictCard['generators']) => listed(of.map(({ generator }) => generator));
  const withPrivacy = (standing: Standing) => rows.filter(({ privacy }) => privacy.standing === standing);
  const [poor, open, good] = [withPrivacy('poor'), withPrivacy('inconclusive'), withPrivacy('good')];
  const notMeasured =
    open.length === rows.length && open.every(({ privacy }) => privacy.reason === 'not measured');
  if (notMeasured) return `Do not release: the privacy of ${names(rows)} was not measured.`;
  const useless = good.filter(({ similarity, utility }) =>
    [similarity, utility].some(({ standing }) => standing === 'poor'),
  );
  const clauses = [
    ...poor.map(
      ({ generator, privacy: { checks } }) =>
        `${generator} fails ${counted(checks.length, 'privacy check')} (${listed(checks)})`,
    ),
    open.length > 0 &&
      `whether ${names(open)} ${open.length === 1 ? 'protects' : 'protect'} training patients is inconclusive`,
  ].filter((clause) => clause !== false);
  const passes =
    good.length > 0 &&
    `${names(good)} ${good.length === 1 ? 'passes' : 'pass'} every privacy check${
      useless.length > 0
        ? `, but ${names(useless)} ${useless.length === 1 ? 'is' : 'are'} poor in similarity or utility`
        : ''
    }`;
  if (clauses.length === 0) return `No check speaks against a release: ${passes}.`;
  if (!passes) return `Do not release: ${clauses.join('; ')}.`;
  return `Do not release ${names([...poor, ...open])}: ${clauses.join('; ')}; ${passes}.`;
};

/**
 * Each generator by family. Poor: a check fails. Good: every check passes that a verdict needs, and none that
 * it needs is missing. Inconclusive: all else.
 */
export const verdictCard = (ran: Ran): VerdictCard => {
  const generators = ran.generators.map(({ name, isBaseline }) => ({
    generator: name,
    ...(Object.fromEntries(
      families.map((family) => [family, standingOf(ran, family, name, isBaseline)]),
    ) as Record<Family, FamilyVerdict>),
  }));
  const models = generators.filter((_, i) => !ran.generators[i]?.isBaseline);
  return { sentence: sentenceOf(models.length > 0 ? models : generators), generators };
};
