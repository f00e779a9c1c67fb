import { percent } from '../kernel/number-format.ts';
import type { SyntheticOrigin } from '../tokens/token-cohort-file.ts';
import type { Check, Verdict } from './checks.ts';

/** How a generator's cohort was drawn, where its artifact says so. */
export interface GeneratorOrigin {
  name: string;
  origin?: SyntheticOrigin;
}

/** What the check goes by in `report.json`; a release gate reads its verdicts. */
export const originCheckName = { metric: 'origin', row: 'built-from-real-records' } as const;

const verdictOf = ({ name, origin }: GeneratorOrigin): Verdict => {
  if (!origin) return { generator: name, outcome: 'unknown', value: null, why: 'the cohort does not say' };
  const { seedMode, copiedCodeFraction, copiedByChance } = origin;
  const shares = `share of codes in the same visit of the training patient of the same index; by chance ${percent(copiedByChance)}`;
  return {
    generator: name,
    outcome: seedMode === 'cold' ? 'passed' : 'failed',
    value: copiedCodeFraction,
    why: `${shares}; seedMode ${seedMode}`,
  };
};

/** Whether each cohort was drawn from its model alone; nothing where no artifact says how it was made. */
export const originChecks = (generators: readonly GeneratorOrigin[]): Check[] =>
  generators.every(({ origin }) => origin === undefined)
    ? []
    : [
        {
          family: 'privacy',
          ...originCheckName,
          title: 'No record is built from a real one',
          short: 'built from real records',
          rule: 'Failed if training patients were the seeds of synthetic ones (seedMode warm), passed if patients were drawn from the model alone (cold), whatever the share of codes.',
          verdicts: generators.map(verdictOf),
        },
      ];
