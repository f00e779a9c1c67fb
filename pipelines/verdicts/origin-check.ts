import { percent } from '../kernel/number-format.ts';
import type { SyntheticOrigin } from '../tokens/token-cohort-file.ts';
import type { Check, Verdict } from './checks.ts';

/** How a generator's cohort was sampled, where its artifact states it. */
export interface GeneratorOrigin {
  name: string;
  origin?: SyntheticOrigin;
}

/** The name of the check in `report.json`. */
export const originCheckName = { metric: 'origin', row: 'built-from-real-records' } as const;

const verdictOf = ({ name, origin }: GeneratorOrigin): Verdict => {
  if (!origin)
    return { generator: name, outcome: 'unknown', value: null, why: 'the cohort does not state it' };
  const { seedMode, copiedCodeFraction, copiedByChance } = origin;
  const shares = `share of codes in the same visit of the training patient of the same index; by chance ${percent(copiedByChance)}`;
  return {
    generator: name,
    outcome: seedMode === 'cold' ? 'passed' : 'failed',
    value: copiedCodeFraction,
    why: `${shares}; seedMode ${seedMode}`,
  };
};

/**
 * Whether each cohort was sampled from its model alone, as its artifact states; nothing where none does. Copied
 * visits are a metric of their own.
 */
export const originChecks = (generators: readonly GeneratorOrigin[]): Check[] =>
  generators.every(({ origin }) => origin === undefined)
    ? []
    : [
        {
          family: 'privacy',
          ...originCheckName,
          title: 'The run was configured to sample patients from the model alone',
          short: 'seeded by real records',
          rule: 'Failed if training patients were the seeds of synthetic ones (seedMode warm), passed if not (cold). It states how the run was configured; whether records are copied is what the other checks measure.',
          verdicts: generators.map(verdictOf),
        },
      ];
