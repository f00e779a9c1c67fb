/**
 * Groups of patients by a demographic fact: by level, and of age by band. The same on both sides of a
 * comparison.
 */
import {
  type Demographic,
  patientCount,
  selectPatients,
  type VisitColumns,
} from '../../patients/visit-columns.ts';

/** Facts that groups are formed by, unless others are asked for. */
export const usualFacts = ['sex', 'age', 'ethnicity'];

/** Years from which on each band of age goes; those of children, and of working and old age. */
const ageBands = [0, 18, 45, 65, 80];

const bandNames = ageBands.map((from, i) => {
  const next = ageBands[i + 1];
  return next === undefined ? `${from} and more` : `${from} to ${next - 1}`;
});

/** What patients are grouped by: a fact, and the names of its groups. */
interface Grouping {
  fact: string;
  names: readonly string[];
  /** Patient → index into `names`; -1: none of them, or not known. */
  of(patient: number): number;
}

/** The groups that a cohort's fact makes; undefined where it has no such fact, or numbers that are no age. */
const groupingOf = (
  { demographics }: Pick<VisitColumns, 'demographics'>,
  fact: string,
): Grouping | undefined => {
  const own: Demographic | undefined = demographics?.[fact];
  if (own?.kind === 'categorical')
    return { fact, names: own.levels, of: (patient) => own.values[patient] as number };
  if (own === undefined || fact !== 'age') return undefined;
  const band = (age: number) => ageBands.findLastIndex((from) => age >= from);
  return { fact, names: bandNames, of: (patient) => band(own.values[patient] as number) };
};

/** One group: what it is called, and who is in it. */
export interface Subgroup {
  /** Part of a row's name, and of its title: `sex F`, `age 18 to 44`. */
  name: string;
  fact: string;
  /** Patients of a cohort who are in it, ascending; undefined where the cohort lacks the fact. */
  members(columns: VisitColumns): Int32Array | undefined;
}

const patientsWith = (columns: VisitColumns, fact: string, name: string): Int32Array | undefined => {
  const grouping = groupingOf(columns, fact);
  if (!grouping) return undefined;
  const group = grouping.names.indexOf(name);
  const all = Int32Array.from({ length: patientCount(columns) }, (_, patient) => patient);
  return group < 0 ? new Int32Array(0) : all.filter((patient) => grouping.of(patient) === group);
};

/** The groups of these facts that at least so many of the patients belong to, by fact and then by name. */
export const subgroupsOf = (columns: VisitColumns, facts: readonly string[], least: number): Subgroup[] =>
  facts.flatMap((fact) => {
    const grouping = groupingOf(columns, fact);
    const counts = new Map<string, number>();
    for (let patient = 0; grouping && patient < patientCount(columns); patient++) {
      const name = grouping.names[grouping.of(patient)];
      if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const names = [...counts].flatMap(([name, count]) => (count >= least ? [name] : []));
    const order = fact === 'age' ? bandNames.filter((name) => names.includes(name)) : names.sort();
    return order.map((name) => ({
      name: `${fact} ${name}`,
      fact,
      members: (of: VisitColumns) => patientsWith(of, fact, name),
    }));
  });

/** The patients of a group as a cohort; without patients where the cohort lacks the fact. */
export const cohortOf = (group: Subgroup, columns: VisitColumns): VisitColumns =>
  selectPatients(columns, group.members(columns) ?? []);
