import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import type { TokenCohort } from '../../patients/visit-columns.ts';
import { malformed, namesText, type OutsideCohort } from '../read/outside-cohort.ts';
import { CodeNumbers, modalityCounts } from '../read/own-vocabulary.ts';
import { retoken } from '../read/retoken.ts';

/** The sides of an evaluation, each in its own tokens. */
export interface Sides<Cohort> {
  train: Cohort;
  /** Real patients no generator has seen. */
  test?: Cohort;
  synthetic: Cohort;
}

/** The same sides in one vocabulary. */
export interface AlignedCohorts extends Sides<TokenCohort> {
  vocabulary: Vocabulary;
  /** What a reader of the numbers should know: codes that one side lacks. */
  notes: string[];
}

type Role = keyof Sides<OutsideCohort>;
type Named = [role: Role, cohort: OutsideCohort];
/** All that decides which label is which. */
type Labeled = [whose: Role | 'model', labels: Pick<OutsideCohort, 'vocabulary' | 'labelsNamed'>];

const present = ({ train, test, synthetic }: Sides<OutsideCohort>): Named[] => [
  ['train', train],
  ...(test ? [['test', test] satisfies Named] : []),
  ['synthetic', synthetic],
];

const count = (labels: readonly string[]): string =>
  `${labels.length} label${labels.length === 1 ? '' : 's'}`;

/** Per label of `wanted`, its column in `cohort`; by name where both have names, else by position. */
const labelOrder = ([role, cohort]: Labeled, [wantedRole, wanted]: Labeled): number[] => {
  const [own, others] = [cohort.vocabulary.labels, wanted.vocabulary.labels];
  if (cohort.labelsNamed && wanted.labelsNamed) {
    const missing = others.filter((name) => !own.includes(name));
    const extra = own.filter((name) => !others.includes(name));
    if (missing.length + extra.length > 0)
      throw malformed(
        `labels differ: ${wantedRole} has ${namesText(missing)} that ${role} lacks, ` +
          `${role} has ${namesText(extra)} that ${wantedRole} lacks`,
      );
    return others.map((name) => own.indexOf(name));
  }
  if (own.length !== others.length)
    throw malformed(
      `labels differ: ${wantedRole} has ${count(others)}, ${role} has ${count(own)}; without names on both sides ` +
        'they are matched by position, so there must be equally many',
    );
  return own.map((_, i) => i);
};

const reordered = (labels: Uint8Array, width: number, order: readonly number[]): Uint8Array => {
  const patients = width === 0 ? 0 : labels.length / width;
  const rows = new Uint8Array(patients * order.length);
  for (let patient = 0; patient < patients; patient++)
    order.forEach((column, i) => {
      rows[patient * order.length + i] = labels[patient * width + column] as number;
    });
  return rows;
};

/**
 * One vocabulary: the model's codes, then train's, then those that only test, then those that only synthetic
 * has.
 */
const unite = (
  named: readonly Named[],
  base: Vocabulary | undefined,
): { codes: CodeNumbers; tokenOf: Map<Role, number[]> } => {
  const codes = new CodeNumbers();
  for (const code of base?.codes ?? []) codes.of(code);
  const tokens = named.map(
    ([role, { vocabulary }]) => [role, vocabulary.codes.map((code) => codes.of(code))] as const,
  );
  return { codes, tokenOf: new Map(tokens) };
};

const share = (part: number, whole: number): string => `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;

const newcomers = (named: readonly Named[], tokenOf: Map<Role, number[]>): string[] => {
  const known = new Set(tokenOf.get('train'));
  return named.slice(1).flatMap(([role, { vocabulary, codes }]) => {
    const tokens = tokenOf.get(role) ?? [];
    const strange = tokens.filter((token) => !known.has(token)).length;
    if (strange === tokens.length && codes.length > 0)
      throw malformed(
        `no code of ${role} occurs in train (${vocabulary.codes.length} and ${known.size} codes): they seem to be written in ` +
          'different code systems, or as numbers of different lists',
      );
    const seen = codes.reduce((sum, token) => sum + Number(!known.has(tokens[token] as number)), 0);
    if (strange === 0) return [];
    return [
      `${role}: ${strange} of ${tokens.length} codes do not occur in train (${share(seen, codes.length)} of its code occurrences)`,
    ];
  });
};

const lopsided = (named: readonly Named[]): string[] => {
  const [[, train] = []] = named;
  const real = modalityCounts(train?.vocabulary.codes ?? []);
  return named.slice(1).flatMap(([role, { vocabulary }]) => {
    const own = modalityCounts(vocabulary.codes);
    const lacking = [...real.keys()].filter((modality) => !own.has(modality));
    if (lacking.length === 0) return [];
    return [
      `${role} has no ${lacking.join(', no ')} code where train has some: to compare the rest only, leave them out with --modalities`,
    ];
  });
};

/** The labels all sides have: those of the model or of train, or none when a side does not tell any. */
const commonLabels = (
  named: readonly Named[],
  base: Vocabulary | undefined,
): { names: string[]; orders: Map<Role, number[]>; notes: string[] } => {
  const without = named.filter(([, { vocabulary }]) => vocabulary.labels.length === 0).map(([role]) => role);
  if (without.length === named.length) return { names: [], orders: new Map(), notes: [] };
  if (without.length > 0)
    return {
      names: [],
      orders: new Map(),
      notes: [`${without.join(' and ')} tell no labels, so labels are left out of the evaluation`],
    };
  // Names come from the first side that has some; the others follow.
  const own = named.find(([, { labelsNamed }]) => labelsNamed) ?? (named[0] as Named);
  const first: Labeled = base ? ['model', { vocabulary: base, labelsNamed: true }] : own;
  const orders = named.map((side) => [side[0], labelOrder(side, first)] as const);
  return { names: first[1].vocabulary.labels, orders: new Map(orders), notes: [] };
};

/**
 * Puts all sides into one vocabulary over the union of their codes, so that statistics over the union of keys
 * are exact; the tokens of `base` (a model's vocabulary), else those of train, keep their numbers. Labels are
 * matched by name, or by position where a side has no names. Throws SourceMalformed when labels differ, or
 * when a side shares no code with train.
 */
export const alignCohorts = (sides: Sides<OutsideCohort>, base?: Vocabulary): AlignedCohorts => {
  const named = present(sides);
  const { codes, tokenOf } = unite(named, base);
  const notes = [...newcomers(named, tokenOf), ...lopsided(named)];
  const labels = commonLabels(named, base);
  const vocabulary: Vocabulary = { codes: codes.codes, labels: labels.names };
  const aligned = ([role, cohort]: Named): TokenCohort => {
    const { labelsNamed: _named, notes: _notes, ...rest } = cohort;
    const { columns } = retoken(cohort, tokenOf.get(role) ?? []);
    const width = cohort.vocabulary.labels.length;
    return {
      ...rest,
      ...columns,
      labels: reordered(cohort.labels, width, labels.orders.get(role) ?? []),
      vocabulary,
    };
  };
  return {
    vocabulary,
    train: aligned(['train', sides.train]),
    ...(sides.test ? { test: aligned(['test', sides.test]) } : {}),
    synthetic: aligned(['synthetic', sides.synthetic]),
    notes: [...notes, ...labels.notes],
  };
};
