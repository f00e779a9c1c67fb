import type { Steps } from '../../kernel/steps.ts';
import { patientCount, type VisitColumns } from '../../patients/visit-columns.ts';
import { readCodeRules, setBits, usesIcd9 } from '../../plausibility/code-rules.ts';
import { contradictions, type Found } from '../../plausibility/contradictions.ts';
import { defineMetric, type MetricResult, type PartialRow } from '../metric.ts';
import { measureRow } from '../rows/measure-row.ts';
import { bootstrapIntervals, certainShareInterval, type Interval } from '../statistics/bootstrap.ts';
import { type Measure, measured, missing } from '../statistics/measure.ts';

const rules = await readCodeRules();

/** All patients, and whether they contradict any rule. */
const anyRule = (found: readonly Found[], patients: number): Found => {
  const contradicts = new Uint8Array(patients);
  for (const { concerned, contradicts: own } of found)
    concerned.forEach((patient, i) => {
      if (own[i] === 1) contradicts[patient] = 1;
    });
  return { concerned: Int32Array.from({ length: patients }, (_, p) => p), contradicts };
};

/** Share of the patients concerned who contradict, each as often as drawn; null where none is concerned. */
const share = ({ concerned, contradicts }: Found, drawn?: Int32Array): number | null => {
  let all = 0;
  let bad = 0;
  for (let i = 0; i < concerned.length; i++) {
    const times = drawn ? (drawn[concerned[i] as number] as number) : 1;
    all += times;
    bad += times * (contradicts[i] as number);
  }
  return all === 0 ? null : bad / all;
};

/** The rules in order, then all together. */
const findings = (columns: VisitColumns, bitsOf: Int32Array): Found[] => {
  const found = contradictions(columns, rules, bitsOf);
  return [...found, anyRule(found, patientCount(columns))];
};

const headings = [
  ...rules.rules.map(({ name, title, about }) => ({
    row: name,
    title,
    about: `${about}, of those who have a code that the rule is about`,
  })),
  {
    row: 'any',
    title: 'Contradictions',
    about:
      'patients who contradict any of the rules, of all patients; those about sex and age only where these are known',
  },
];

/** A share as a measure; `resampled` is its interval, and absent where nothing was resampled. */
const shareMeasure = (found: Found, resampled: Interval | undefined, replicates: number): Measure => {
  const value = share(found);
  if (value === null)
    return missing(
      'no synthetic patient has a code that the rule is about, or a known sex or age where it is about these',
    );
  const n = found.concerned.length;
  return measured(value, n, (replicates > 0 ? certainShareInterval(value, n) : undefined) ?? resampled);
};

/** Patients who contradict. */
const cases = ({ contradicts }: Found): number => contradicts.reduce((sum, one) => sum + one, 0);

const whyNot = 'the codes do not look like ICD-9-CM without dots, which is what the rules are written in';

/** No published definition: rules and their source are in pipelines/plausibility/code-rules.yaml. */
export default defineMetric({
  name: 'plausibility',
  family: 'similarity',
  title: 'Contradictions within a record',
  about:
    'Do a patient’s codes contradict each other: those of both sexes, of newborns and adults, visits after death, an organ removed twice? Or a patient’s sex or age, where patients have them? ICD-9-CM only. Real records do so too, through coding errors: compare with the real cohorts.',
  better: 'lower',
  range: [0, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  headline: { any: 'Contradictions' },
  *compute({ vocabulary, train, synthetic, seed, replicates }): Steps<MetricResult> {
    if (!usesIcd9(vocabulary)) return { rows: headings.map((row) => measureRow(row, missing(whyNot))) };
    const bitsOf = setBits(rules, vocabulary);
    const real = findings(train, bitsOf);
    const ours = findings(synthetic, bitsOf);
    yield { step: 1, of: 2 };
    const intervals = bootstrapIntervals({
      sizes: [patientCount(synthetic)],
      seed,
      replicates,
      statistics: ([drawn]) => ours.map((found) => share(found, drawn)),
    });
    // The last one is all rules together.
    const behind = ours.map((found, i) => ({ real: cases(real[i] as Found), judged: cases(found) }));
    const parts = { groups: behind.slice(0, -1).map((counts) => ({ behind: counts })), rows: 1 } as const;
    const rows = ours.map((found, i): PartialRow => {
      const theirs = real[i] as Found;
      const measure = shareMeasure(found, intervals[i], replicates);
      return measureRow(headings[i] as (typeof headings)[number], measure, {
        real: share(theirs),
        patients: theirs.concerned.length,
        behind: behind[i],
        parts: i === ours.length - 1 ? parts : undefined,
      });
    });
    return { rows };
  },
});
