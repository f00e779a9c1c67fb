import { identifier } from '../../kernel/duckdb.ts';
import { emptySql } from '../../sources/cells.ts';
import { prefixedCode } from './code-systems.ts';
import { readEventRows } from './event-rows.ts';
import {
  type CohortLayout,
  hasColumns,
  malformed,
  type Place,
  positionalLabels,
  type ReadTools,
} from './outside-cohort.ts';
import {
  checkCodeType,
  checkIdentifierType,
  holdsEverywhere,
  refuseControls,
  refuseRows,
} from './table-checks.ts';

const labelSql = `CASE WHEN lower(trim(CAST(labels AS VARCHAR))) IN ('1', '1.0', 'true') THEN 1
  WHEN lower(trim(CAST(labels AS VARCHAR))) IN ('0', '0.0', 'false') THEN 0 END`;

/** SQL of `time` in a type that sorts in time order. CSV gives text, so all of it must read as one kind. */
const timeSql = async (place: Place, { database }: ReadTools): Promise<string> => {
  const type = place.columns.get('time') ?? '';
  if (type !== 'VARCHAR') {
    if (/FLOAT|DOUBLE/.test(type))
      await refuseRows(database, place, 'NOT isfinite("time")', 'column time is not a finite number');
    if (/INT|FLOAT|DOUBLE|DECIMAL|DATE|TIMESTAMP/.test(type) && !type.endsWith('[]')) return '"time"';
    throw malformed(`${place.name}: column time is of type ${type}; expected numbers, dates or times`);
  }
  for (const kind of ['DOUBLE', 'TIMESTAMP']) {
    const cast = `TRY_CAST("time" AS ${kind})`;
    if (await holdsEverywhere(database, place, `${cast} IS NOT NULL`)) return cast;
  }
  throw malformed(
    `${place.name}: column time holds neither numbers only nor times only (2100-01-31 10:00:00)`,
  );
};

const checkRows = async (place: Place, { database }: ReadTools): Promise<void> => {
  checkIdentifierType(place, 'id');
  checkCodeType(place, 'visit_codes');
  for (const column of ['id', 'time', 'visit_codes'])
    await refuseRows(database, place, emptySql(identifier(column)), `column ${column} is empty`);
  await refuseControls(database, place, 'visit_codes');
  if (place.columns.has('labels'))
    await refuseRows(database, place, `${labelSql} IS NULL`, 'column labels is neither 0 nor 1');
};

const needed = ['id', 'time', 'visit_codes'];

/**
 * The frame of PyHealth's metrics.generative: one row per code of a visit. Source: sunlabuiuc/PyHealth
 * pyhealth/metrics/generative/__init__.py, "Input format". Its label is one, binary, and the highest of a
 * patient.
 */
export const pyhealthLayout: CohortLayout = {
  name: 'pyhealth',
  about:
    'a .csv, .csv.gz or .parquet table with columns id, time, visit_codes (one code per row) and labels (0 or 1)',
  columns: needed,
  recognizes: (place) => hasColumns(place, needed),
  async read(place, tools) {
    await checkRows(place, tools);
    const labeled = place.columns.has('labels');
    const time = await timeSql(place, tools);
    const { columns, codes } = await readEventRows(tools.database, {
      relation: `(SELECT trim(CAST(id AS VARCHAR)) AS patient, ${time} AS visit,
        trim(CAST(visit_codes AS VARCHAR)) AS code${labeled ? `, ${labelSql} AS label` : ''} FROM ${place.reader})`,
      meaning: prefixedCode,
      ...(labeled ? { labels: ['label'] } : {}),
    });
    const labels = positionalLabels(labeled ? 1 : 0);
    const note =
      'this layout cannot hold patients or visits without codes: if there were any, they are missing';
    return { ...columns, vocabulary: { codes, labels }, labelsNamed: false, notes: [note] };
  },
};
