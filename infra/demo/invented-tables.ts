/**
 * Tables of patients who never lived, in the layout of MIMIC-III: enough of them, and with enough structure,
 * that a report on them has answers. Nothing in them is taken from real records; codes and the 25 conditions
 * are those of the phenotype definitions.
 */
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readPhenotypes } from '../../pipelines/cohort/phenotypes.ts';
import { RandomSource, UniformStream } from '../../pipelines/kernel/random.ts';

/** Hidden causes that several conditions share, so that conditions occur together. */
const causes = 5;
/** A condition comes in kinds with codes of their own; a patient has one kind of it, at every visit. */
const kinds = 3;
const codesPerKind = 2;
const codesPerCondition = kinds * codesPerKind;
const incidentalCodes = 20;
const mostVisits = 8;

const types = ['EMERGENCY', 'ELECTIVE', 'URGENT'];
const ethnicities = ['WHITE', 'BLACK/AFRICAN AMERICAN', 'HISPANIC OR LATINO', 'ASIAN', 'OTHER'];
const insurances = ['Medicare', 'Private', 'Medicaid'];

interface Condition {
  name: string;
  codes: string[];
  /** Log-odds of having it, before causes. */
  base: number;
  cause: number;
  /** It comes back at every later visit; others are followed by another condition at the next visit. */
  isChronic: boolean;
}

/** The conditions: the same for every seed of patients. */
const readConditions = async (): Promise<{ conditions: Condition[]; incidental: string[] }> => {
  const { names, labelOf } = await readPhenotypes();
  const stream = new UniformStream(new RandomSource(2026, 'weights'), 0);
  const next = () => stream.next();
  const codesOf = (label: number, most: number) =>
    [...labelOf]
      .filter(([, of]) => of === label)
      .map(([code]) => code)
      .sort()
      .slice(0, most);
  const conditions = names.map(
    (name, i): Condition => ({
      name,
      codes: codesOf(i, codesPerCondition),
      base: -3 + 2.4 * (1 - i / names.length),
      cause: stream.below(causes),
      isChronic: next() < 0.6,
    }),
  );
  // V codes, which no phenotype has: they carry no label.
  const incidental = Array.from({ length: incidentalCodes }, (_, i) => `V${String(1000 + i)}`);
  return { conditions, incidental };
};

interface InventedVisit {
  /** Days since the first admission. */
  day: number;
  nights: number;
  type: string;
  codes: string[];
}

interface InventedPatient {
  sex: string;
  age: number;
  ethnicity: string;
  insurance: string;
  visits: InventedVisit[];
}

const inventPatient = (
  { conditions, incidental }: Awaited<ReturnType<typeof readConditions>>,
  stream: UniformStream,
): InventedPatient => {
  const next = () => stream.next();
  const pick = <T>(of: readonly T[]): T => of[stream.below(of.length)] as T;
  const strength = Array.from({ length: causes }, () => 3 * (next() + next() + next() - 1.5));
  const age = Math.round(20 + 65 * Math.min(1, next() + 0.12 * Math.max(0, strength[0] as number)));
  const odds = conditions.map(
    ({ base, cause }) => 1 / (1 + Math.exp(-base - (strength[cause] as number) - (age - 55) / 40)),
  );
  const has = odds.map((p) => next() < p);
  const own = conditions.map(({ codes }) => {
    const kind = stream.below(kinds);
    return codes.slice(kind * codesPerKind, (kind + 1) * codesPerKind);
  });
  let present = conditions.map(({ isChronic }, i) => has[i] === true || (!isChronic && next() < 0.05));
  const visits: InventedVisit[] = [];
  let day = 0;
  do {
    const codes = new Set<string>();
    present.forEach((is, i) => {
      if (!is) return;
      for (const code of own[i] as string[]) if (next() < 0.9) codes.add(code);
    });
    for (const [rank, code] of incidental.entries()) if (next() < 0.2 / (1 + rank / 6)) codes.add(code);
    if (codes.size === 0) codes.add(pick(incidental));
    visits.push({
      day,
      nights: 1 + Math.floor(9 * next() ** 2),
      type: pick(types),
      codes: [...codes].sort(),
    });
    day += 10 + Math.floor(-180 * Math.log(1 - next()));
    // A chronic condition stays; one that is not brings the next of its kind at the following visit.
    present = conditions.map(({ isChronic }, i) =>
      isChronic
        ? present[i] === true
        : present[(i + conditions.length - 7) % conditions.length] === true && next() < 0.8,
    );
  } while (visits.length < mostVisits && next() < 0.68);
  return {
    sex: next() < 0.5 ? 'F' : 'M',
    age,
    ethnicity: pick(ethnicities),
    insurance: pick(insurances),
    visits,
  };
};

const headers = {
  PATIENTS: 'ROW_ID,SUBJECT_ID,GENDER,DOB,DOD',
  ADMISSIONS:
    'ROW_ID,SUBJECT_ID,HADM_ID,ADMITTIME,DISCHTIME,DEATHTIME,ADMISSION_TYPE,INSURANCE,LANGUAGE,MARITAL_STATUS,ETHNICITY,HOSPITAL_EXPIRE_FLAG',
  DIAGNOSES_ICD: 'ROW_ID,SUBJECT_ID,HADM_ID,SEQ_NUM,ICD9_CODE',
  PROCEDURES_ICD: 'ROW_ID,SUBJECT_ID,HADM_ID,SEQ_NUM,ICD9_CODE',
  PRESCRIPTIONS:
    'ROW_ID,SUBJECT_ID,HADM_ID,STARTDATE,ENDDATE,DRUG_TYPE,DRUG,NDC,DOSE_VAL_RX,DOSE_UNIT_RX,ROUTE',
  LABEVENTS: 'ROW_ID,SUBJECT_ID,HADM_ID,ITEMID,CHARTTIME,VALUE,VALUENUM,VALUEUOM,FLAG',
  ICUSTAYS: 'ROW_ID,SUBJECT_ID,HADM_ID,ICUSTAY_ID,INTIME,OUTTIME',
  D_ICD_DIAGNOSES: 'ROW_ID,ICD9_CODE,SHORT_TITLE,LONG_TITLE',
  D_ICD_PROCEDURES: 'ROW_ID,ICD9_CODE,SHORT_TITLE,LONG_TITLE',
  D_LABITEMS: 'ROW_ID,ITEMID,LABEL,FLUID,CATEGORY,LOINC_CODE',
} as const;
type Table = keyof typeof headers;

const cell = (value: string | number): string =>
  typeof value === 'number' ? String(value) : value && `"${value.replaceAll('"', '""')}"`;

/** Tables that grow row by row; rows wait in memory until `flush`. */
const openTables = async (folder: string) => {
  await mkdir(folder, { recursive: true });
  const names = Object.keys(headers) as Table[];
  const counts = new Map<Table, number>();
  const lines = new Map<Table, string[]>(names.map((name) => [name, []]));
  for (const name of names) await writeFile(join(folder, `${name}.csv`), `${headers[name]}\n`);
  return {
    row(table: Table, ...cells: (string | number)[]): void {
      const at = (counts.get(table) ?? 0) + 1;
      counts.set(table, at);
      lines.get(table)?.push(`${[at, ...cells.map(cell)].join(',')}\n`);
    },
    async flush(): Promise<void> {
      for (const [name, waiting] of lines)
        await appendFile(join(folder, `${name}.csv`), waiting.splice(0).join(''));
    },
  };
};

const dayMs = 86_400_000;
/** Far in the future, as MIMIC shifts its dates; no real person is older or younger by it. */
const epoch = Date.UTC(2150, 0, 1);
const timeText = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

/**
 * Writes the tables of so many invented patients into a folder. Patient i of a seed is always the same, so
 * the tables of fewer patients are the beginning of those of more.
 */
export const writeInventedTables = async (
  folder: string,
  { patients, seed }: { patients: number; seed: number },
): Promise<void> => {
  const world = await readConditions();
  const source = new RandomSource(seed, 'patients');
  const tables = await openTables(folder);
  for (const { name, codes } of world.conditions)
    for (const code of codes)
      tables.row('D_ICD_DIAGNOSES', code, code, `Invented patients: ${name}, ${code}`);
  for (const code of world.incidental)
    tables.row('D_ICD_DIAGNOSES', code, code, `Invented patients: incidental, ${code}`);
  let admission = 900_000_000;
  for (let i = 0; i < patients; i++) {
    const { sex, age, ethnicity, insurance, visits } = inventPatient(world, new UniformStream(source, i));
    const subject = 900_000_001 + i;
    const first = epoch + (i % 3650) * dayMs;
    tables.row('PATIENTS', subject, sex, timeText(first - age * 365.25 * dayMs), '');
    for (const { day, nights, type, codes } of visits) {
      admission++;
      const admitted = first + day * dayMs;
      const [begin, end] = [timeText(admitted), timeText(admitted + nights * dayMs)];
      tables.row('ADMISSIONS', subject, admission, begin, end, '', type, insurance, '', '', ethnicity, 0);
      codes.forEach((code, at) => {
        tables.row('DIAGNOSES_ICD', subject, admission, at + 1, code);
      });
    }
    if (i % 1024 === 1023) await tables.flush();
  }
  await tables.flush();
};
