import { modalities } from '../../../schemas/ehr.ts';
import { identifier, literal } from '../../kernel/duckdb.ts';
import { emptySql } from '../../sources/cells.ts';
import { defaultModality } from './code-systems.ts';
import { readEventRows } from './event-rows.ts';
import { fromSafeCell } from './formula-cells.ts';
import { type CohortLayout, hasColumns, malformed, type Place, type ReadTools } from './outside-cohort.ts';
import { checkCodeType, checkIdentifierType, refuseControls, refuseRows } from './table-checks.ts';

const labelPrefix = 'label:';
const modalityList = modalities.map(literal).join(', ');

/** `1` and, as pandas writes a column with gaps, `1.0`; NULL for 0.6, which a cast alone would round. */
const wholeSql = (cell: string): string =>
  `CASE WHEN regexp_full_match(trim(CAST(${cell} AS VARCHAR)), '[0-9]+(\\.0*)?')
    THEN TRY_CAST(TRY_CAST(${cell} AS DOUBLE) AS INTEGER) END`;

const checkRows = async (place: Place, { database }: ReadTools): Promise<void> => {
  checkIdentifierType(place, 'patient');
  checkCodeType(place, 'code');
  const type = place.columns.get('visit') ?? '';
  if (!/INT|VARCHAR/.test(type) || type.endsWith('[]'))
    throw malformed(`${place.name}: column visit is of type ${type}; expected whole numbers in time order`);
  await refuseRows(database, place, emptySql('patient'), 'column patient is empty');
  await refuseRows(
    database,
    place,
    `visit IS NOT NULL AND ${wholeSql('visit')} IS NULL`,
    'column visit is not a whole number (0, 1, …)',
  );
  await refuseRows(
    database,
    place,
    `code IS NOT NULL AND ${emptySql('code')}`,
    'column code is an empty text, or a word for one (NaN, None)',
  );
  await refuseControls(database, place, 'code');
  await refuseRows(
    database,
    place,
    'code IS NOT NULL AND visit IS NULL',
    'column visit is empty beside a code',
  );
  if (place.columns.has('modality'))
    await refuseRows(
      database,
      place,
      `code IS NOT NULL AND coalesce(modality NOT IN (${modalityList}), true)`,
      `column modality is none of ${modalities.join(', ')}`,
    );
};

const labelColumns = async (place: Place, { database }: ReadTools): Promise<string[]> => {
  const names = [...place.columns.keys()].filter((column) => column.startsWith(labelPrefix)).sort();
  for (const name of names)
    await refuseRows(
      database,
      place,
      `coalesce(${wholeSql(identifier(name))} NOT IN (0, 1), true)`,
      `column ${name} is neither 0 nor 1`,
    );
  return names;
};

const needed = ['patient', 'visit', 'code'];

/**
 * Our own table, which loses nothing: patients without visits (no `visit`), visits without codes (no `code`),
 * modalities, named labels. Code texts stay as they are, but for the `'` that keeps a CSV cell from running as a
 * formula (`=`, `+`, `-` or `@` behind it).
 */
export const longFormLayout: CohortLayout = {
  name: 'long-form',
  about:
    'a .parquet, .csv or .csv.gz table with columns patient, visit (0, 1, …), code and, if it likes, modality ' +
    '(dx, px, rx, lab) and `label:<name>` (0 or 1)',
  columns: needed,
  recognizes: (place) => hasColumns(place, needed),
  async read(place, tools) {
    await checkRows(place, tools);
    const labels = await labelColumns(place, tools);
    const isCsv = !place.tables.some((table) => table.toLowerCase().endsWith('.parquet'));
    const code = 'CAST(code AS VARCHAR)';
    const modality = place.columns.has('modality') ? 'modality' : literal(defaultModality);
    const { columns, codes } = await readEventRows(tools.database, {
      relation: `(SELECT CAST(patient AS VARCHAR) AS patient, ${wholeSql('visit')} AS visit,
        ${isCsv ? fromSafeCell(code) : code} AS code, ${modality} AS modality
        ${labels.map((name, i) => `, ${wholeSql(identifier(name))} AS label_${i}`).join('')}
        FROM ${place.reader})`,
      codeText: "modality || ':' || code",
      meaning: (text) => {
        const modality = modalities.find((candidate) => text.startsWith(`${candidate}:`));
        return modality && { modality, code: text.slice(modality.length + 1) };
      },
      labels: labels.map((_, i) => `label_${i}`),
    });
    const names = labels.map((name) => name.slice(labelPrefix.length));
    return { ...columns, vocabulary: { codes, labels: names }, labelsNamed: names.length > 0, notes: [] };
  },
};
