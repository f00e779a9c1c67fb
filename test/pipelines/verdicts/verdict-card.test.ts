import test from 'ava';
import type { Check } from '../../../pipelines/verdicts/checks.ts';
import type { Outcome } from '../../../pipelines/verdicts/judge.ts';
import { verdictCard } from '../../../pipelines/verdicts/verdict-card.ts';

type Family = Check['family'];
type Planted = Pick<Check, 'short' | 'isGain'> & { family: Family; outcomes: Record<string, Outcome> };

const check = ({ family, short, isGain, outcomes }: Planted): Check => ({
  family,
  metric: short,
  row: 'value',
  title: short,
  short,
  rule: '',
  isGain,
  verdicts: Object.entries(outcomes).map(([generator, outcome]) => ({ generator, outcome, value: 0 })),
});

const all = ['strongest-attack', 'copies'].map((metric) => ({ metric, family: 'privacy' as const }));
const measured = [
  ...all,
  { metric: 'code-pairs', family: 'similarity' as const },
  { metric: 'next-visit', family: 'utility' as const },
];
const cardOf = (planted: Planted[], metrics: typeof measured | typeof all = measured, baseline?: string) => {
  const names = [...new Set(planted.flatMap(({ outcomes }) => Object.keys(outcomes)))];
  const generators = names.map((name) => ({ name, isBaseline: name === baseline }));
  return verdictCard({ generators, checks: planted.map(check), metrics });
};

test('one failure makes a family poor, one open check keeps it from being good', (t) => {
  const { sentence, generators } = cardOf([
    { family: 'similarity', short: 'pairs', outcomes: { halo: 'passed', gpt: 'passed', eva: 'passed' } },
    { family: 'utility', short: 'next visit', outcomes: { halo: 'failed', gpt: 'passed', eva: 'passed' } },
    { family: 'privacy', short: 'attack', outcomes: { halo: 'failed', gpt: 'unknown', eva: 'passed' } },
    { family: 'privacy', short: 'copies', outcomes: { halo: 'passed', gpt: 'passed', eva: 'passed' } },
  ]);
  t.deepEqual(
    generators.map(({ generator, utility, privacy }) => [generator, utility.standing, privacy]),
    [
      ['halo', 'poor', { standing: 'poor', reason: 'fails 1 of 2 checks: attack', checks: ['attack'] }],
      [
        'gpt',
        'good',
        { standing: 'inconclusive', reason: '1 of 2 checks inconclusive: attack', checks: ['attack'] },
      ],
      [
        'eva',
        'good',
        { standing: 'good', reason: 'passes all 2 checks that decide', checks: ['attack', 'copies'] },
      ],
    ],
  );
  t.is(
    sentence,
    'Do not release halo and gpt: halo fails 1 privacy check (attack); whether gpt protects training patients is inconclusive; eva passes every privacy check.',
  );
});

test('the sentence never allows what was not measured, or what was measured in part', (t) => {
  const copies: Planted = { family: 'privacy', short: 'copies', outcomes: { halo: 'passed' } };
  t.is(
    cardOf([{ family: 'similarity', short: 'pairs', outcomes: { halo: 'passed' } }], []).sentence,
    'Do not release: the privacy of halo was not measured.',
  );
  const { sentence, generators } = cardOf([copies], [{ metric: 'copies', family: 'privacy' }]);
  t.deepEqual(generators[0]?.privacy, {
    standing: 'inconclusive',
    reason: 'not measured: strongest attack',
    checks: [],
  });
  t.regex(sentence, /^Do not release: whether halo protects training patients is inconclusive\.$/);
  t.is(
    verdictCard({ generators: [], checks: [], metrics: [] }).sentence,
    'Nothing to release: no generator reached a scorecard.',
  );
});

test('where privacy is good the sentence names what the data are poor in', (t) => {
  const planted = (utility: Outcome): Planted[] => [
    { family: 'privacy', short: 'attack', outcomes: { halo: 'passed' } },
    { family: 'utility', short: 'next visit', outcomes: { halo: utility } },
  ];
  t.is(
    cardOf(planted('passed')).sentence,
    'No check speaks against a release: halo passes every privacy check.',
  );
  t.is(
    cardOf(planted('failed')).sentence,
    'No check speaks against a release: halo passes every privacy check, but halo is poor in similarity or utility.',
  );
});

test('a gain that is open costs nothing, a gain that fails does', (t) => {
  const utility = (rare: Outcome) =>
    cardOf([
      { family: 'utility', short: 'next visit', outcomes: { halo: 'passed' } },
      { family: 'utility', short: 'rare labels', isGain: true, outcomes: { halo: rare } },
    ]).generators[0]?.utility.standing;
  t.is(utility('unknown'), 'good');
  t.is(utility('failed'), 'poor');
});

test('without a baseline, and of the baseline itself, similarity is inconclusive', (t) => {
  const planted: Planted[] = [{ family: 'privacy', short: 'attack', outcomes: { halo: 'passed' } }];
  t.is(cardOf(planted).generators[0]?.similarity.reason, 'there is no baseline to compare with');
  t.is(
    cardOf(planted, measured, 'halo').generators[0]?.similarity.reason,
    'it is the baseline that the others are compared with',
  );
});

test('a model without probabilities is not held against a cohort, one that overfits is', (t) => {
  const privacy = (outcome: Outcome, value: number | null) => {
    const overfitting = check({ family: 'privacy', short: 'overfitting', outcomes: { halo: outcome } });
    const attack = check({ family: 'privacy', short: 'attack', outcomes: { halo: 'passed' } });
    const verdicts = overfitting.verdicts.map((verdict) => ({ ...verdict, value }));
    return verdictCard({
      generators: [{ name: 'halo', isBaseline: false }],
      checks: [attack, { ...overfitting, isAboutModel: true, verdicts }],
      metrics: measured,
    }).generators[0]?.privacy;
  };
  t.like(privacy('unknown', null), { standing: 'good', reason: 'passes attack; inconclusive: overfitting' });
  t.is(privacy('unknown', 0.2)?.standing, 'inconclusive');
  t.is(privacy('failed', 0.9)?.standing, 'poor');
});
