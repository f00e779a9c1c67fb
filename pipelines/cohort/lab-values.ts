import { type Database, literal } from '../kernel/duckdb.ts';

/** Which of an admission's measurements of one test stands for it. */
export type LabChoice = 'last' | 'first' | 'median';

/** The unit that the numbers of each lab test are in, by code; tests without any unit are absent. */
export type LabUnits = ReadonlyMap<string, string>;

/** What became of the lab rows of admissions. */
interface LabCounts {
  /** `rows` less all others is how many numbers there are. */
  labNumbers: Record<'rows' | 'withoutNumber' | 'otherUnit' | 'superseded', number>;
  /** Rows whose number was converted, and rows without a unit, which count as having the commonest. */
  labUnits: Record<'converted' | 'assumed', number>;
}

// Case and blanks of units vary with the machine: MEQ/L and mEq/L.
const foldedUnit = "coalesce(lower(trim(unit)), '')";
const code = 'CAST(item_id AS VARCHAR)';

/** Spellings of one unit that case does not explain; µU and µIU are the same. */
const sameUnit: Record<string, string> = { seconds: 'sec', 'uu/ml': 'uiu/ml', mcg: 'ug' };

const gramsIn: Record<string, number> = { kg: 1e3, g: 1, mg: 1e-3, ug: 1e-6, mcg: 1e-6, ng: 1e-9, pg: 1e-12 };
const litersIn: Record<string, number> = { l: 1, dl: 1e-1, ml: 1e-3 };

/** Grams per liter in one of a mass concentration; undefined for all other units. */
const concentration = (unit: string): number | undefined => {
  const [mass = '', volume = '', ...rest] = unit.split('/');
  const [grams, liters] = [gramsIn[mass], litersIn[volume]];
  return grams === undefined || liters === undefined || rest.length > 0 ? undefined : grams / liters;
};

/**
 * By how much to multiply a number in `from` to have it in `to`, both in lower case; `''` is a unit that
 * is not recorded and counts as `to`. Undefined where it takes more than a power of ten: moles, cells,
 * other kinds of things.
 */
export const unitFactor = (from: string, to: string): number | undefined => {
  const [own, wanted] = [sameUnit[from] ?? from, sameUnit[to] ?? to];
  if (own === '' || own === wanted) return 1;
  const [mine, theirs] = [concentration(own), concentration(wanted)];
  if (mine === undefined || theirs === undefined) return undefined;
  const decades = Math.round(Math.log10(mine / theirs));
  return 10 ** decades;
};

interface UnitRow {
  code: string;
  folded: string;
  spelling: string | null;
  rows: number;
}

const unitRows = `SELECT ${code} AS code, ${foldedUnit} AS folded, mode(trim(unit) ORDER BY unit) AS spelling, count(*) AS rows
  FROM labs SEMI JOIN admissions USING (subject_id, hadm_id) WHERE isfinite(number)
  GROUP BY ALL ORDER BY code, rows DESC, folded`;

/** Table `lab_unit`: what each number of a test is multiplied by; units without a factor are not in it. */
const placeUnits = async (database: Database): Promise<LabUnits> => {
  const units = new Map<string, string>();
  const majority = new Map<string, string>();
  const rows: string[] = [];
  const found = await database.rows<UnitRow>(unitRows);
  for (const { code, folded, spelling } of found)
    if (folded !== '' && !majority.has(code)) {
      majority.set(code, folded);
      units.set(code, spelling ?? folded);
    }
  for (const { code, folded } of found) {
    const factor = unitFactor(folded, majority.get(code) ?? '');
    if (factor !== undefined) rows.push(`(${literal(code)}, ${literal(folded)}, ${factor})`);
  }
  await database.run('CREATE TABLE lab_unit (code VARCHAR, folded VARCHAR, factor DOUBLE)');
  if (rows.length > 0) await database.run(`INSERT INTO lab_unit VALUES ${rows.join(', ')}`);
  return units;
};

/** Order inside an admission, and the place in it that stands for all. */
const places: Record<LabChoice, { order: string; place: string }> = {
  first: { order: 'time, number', place: '1' },
  last: { order: 'time, number', place: 'count(*) OVER whole' },
  median: { order: 'number, time', place: '(count(*) OVER whole + 1) // 2' },
};

/** Table `lab_value`: one number per admission and test. */
const valueTable = (choice: LabChoice): string => `CREATE TABLE lab_value AS
  SELECT subject_id, hadm_id, code, number FROM (
    SELECT subject_id, hadm_id, code, time, CAST(number * factor AS FLOAT) AS number
    FROM (SELECT *, ${code} AS code, ${foldedUnit} AS folded FROM labs
      SEMI JOIN admissions USING (subject_id, hadm_id) WHERE isfinite(number))
    JOIN lab_unit USING (code, folded))
  WINDOW whole AS (PARTITION BY subject_id, hadm_id, code),
    ranked AS (PARTITION BY subject_id, hadm_id, code ORDER BY ${places[choice].order})
  QUALIFY row_number() OVER ranked = ${places[choice].place}`;

const countRows = `SELECT count(*) AS rows, count_if(NOT coalesce(isfinite(number), false)) AS withoutNumber,
    count_if(isfinite(number) AND factor IS NULL) AS otherUnit,
    count_if(isfinite(number) AND factor IS NOT NULL) - (SELECT count(*) FROM lab_value) AS superseded,
    count_if(isfinite(number) AND factor <> 1) AS converted,
    count_if(isfinite(number) AND folded = '' AND code IN (SELECT code FROM lab_unit WHERE folded <> '')) AS assumed
  FROM (SELECT *, ${code} AS code, ${foldedUnit} AS folded FROM labs
    SEMI JOIN admissions USING (subject_id, hadm_id)) LEFT JOIN lab_unit USING (code, folded)`;

/**
 * Puts one number per admission and test into table `lab_value`. Numbers in other units than the test's
 * commonest are converted where a power of ten does it and left out where not. Of several measurements the
 * choice stands for all: the HALO code keeps the last of each hour, where its visits are hours and ours are
 * admissions.
 */
export const placeLabValues = async (
  database: Database,
  choice: LabChoice,
): Promise<{ units: LabUnits; counts: LabCounts }> => {
  const units = await placeUnits(database);
  await database.run(valueTable(choice));
  const [row] = await database.rows<LabCounts['labNumbers'] & LabCounts['labUnits']>(countRows);
  const {
    rows = 0,
    withoutNumber = 0,
    otherUnit = 0,
    superseded = 0,
    converted = 0,
    assumed = 0,
  } = row ?? {};
  return {
    units,
    counts: {
      labNumbers: { rows, withoutNumber, otherUnit, superseded },
      labUnits: { converted, assumed },
    },
  };
};

/** Columns of one row per lab test of a kept visit, in visit and code order: visit, code, number or NULL. */
export const labRows = `
  SELECT visit, index, lab_value.number FROM occurrence_lab JOIN visit USING (subject_id, hadm_id)
    JOIN code_lab USING (code) LEFT JOIN lab_value USING (subject_id, hadm_id, code) ORDER BY visit, index`;
