import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { ExecutionContext } from 'ava';
import { type CohortRead, readCohort } from '../../../../pipelines/exchange/read/read-cohort.ts';
import { writeTokenCohort } from '../../../../pipelines/tokens/token-cohort-file.ts';
import { type Modality, modalities } from '../../../../schemas/ehr.ts';
import { mimicFolder } from '../../../helpers/mimic-folder.ts';

/** Writes text and gives the path. */
export const put = async (folder: string, file: string, text: string): Promise<string> => {
  const path = join(folder, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
};

/** Writes rows as Parquet and gives the path; `columns` are names, cells are SQL. */
export const putParquet = async (
  folder: string,
  file: string,
  columns: string,
  rows: readonly string[],
): Promise<string> => {
  const path = await put(folder, file, '');
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  const values = rows.map((row) => `(${row})`).join(', ');
  await connection.run(
    `COPY (SELECT * FROM (VALUES ${values}) AS t(${columns})) TO '${path}' (FORMAT parquet)`,
  );
  connection.closeSync();
  instance.closeSync();
  return path;
};

/** Reads with a scratch folder inside `folder`. */
export const read = (
  folder: string,
  path: string,
  chosen: readonly Modality[] = modalities,
): Promise<CohortRead> => readCohort(path, { scratch: join(folder, 'scratch'), modalities: chosen });

/** Patients 10, 11 and 12 of the small MIMIC tables, diagnoses and procedures only. */
export const small = [
  { id: 10, day: '2140-01-01', stay: 100, visit: 0, modality: 'dx', code: '0389' },
  { id: 10, day: '2140-01-01', stay: 100, visit: 0, modality: 'dx', code: '99591' },
  { id: 10, day: '2140-01-01', stay: 100, visit: 0, modality: 'px', code: '0066' },
  { id: 11, day: '2150-02-01', stay: 101, visit: 0, modality: 'dx', code: 'V4581' },
  { id: 11, day: '2160-01-01', stay: 102, visit: 1, modality: 'dx', code: 'E8788' },
  { id: 11, day: '2160-01-01', stay: 102, visit: 1, modality: 'px', code: '9604' },
  { id: 12, day: '2150-03-01', stay: 103, visit: 0, modality: 'dx', code: '4280' },
] as const;

const text = (value: string | number): string => `'${value}'`;
const medsClass = { dx: 'DIAGNOSIS//ICD//9', px: 'PROCEDURE//ICD//9' };
const dotted = { dx: 'ICD9CM', px: 'ICD9Proc' };
const prefixed = small.map((row) => ({ ...row, code: `${row.modality}:${row.code}` }));

const jsonPatients = [10, 11, 12].map((id) => {
  const own = prefixed.filter((row) => row.id === id);
  return { visits: [0, 1].map((v) => own.filter((row) => row.visit === v).map(({ code }) => code)) };
});
/** Patients without trailing empty visits. */
const patients = jsonPatients.map(({ visits }) => ({ visits: visits.filter((codes) => codes.length > 0) }));

type Writer = (t: ExecutionContext, folder: string) => Promise<string>;

/** The same three patients in every layout and spelling; rows of tables are turned round. */
export const writers: Record<string, Writer> = {
  'mimic-iii': (t) => mimicFolder(t),
  json: (_t, folder) => put(folder, 'bare.json', JSON.stringify(patients)),
  'json: wrapped, codes by number': (_t, folder) => {
    const codes = [...new Set(small.map(({ code }) => code))];
    const dictionary = codes.map((code) => ({
      code,
      modality: small.find((row) => row.code === code)?.modality,
    }));
    const numbered = patients.map(({ visits }) => ({
      visits: visits.map((visit) => visit.map((code) => codes.findIndex((own) => code.endsWith(`:${own}`)))),
      labels: [],
    }));
    return put(folder, 'wrapped.json', JSON.stringify({ patients: numbered, labels: [], codes: dictionary }));
  },
  'pyhealth: CSV': (_t, folder) => {
    const lines = prefixed.map(({ id, visit, code }) => `${id},${visit},"${code}",0`).reverse();
    return put(folder, 'frame.csv', `id,time,visit_codes,labels\n${lines.join('\n')}\n`);
  },
  'pyhealth: CSV with dates and a column for the index': (_t, folder) => {
    const lines = prefixed.map(({ id, day, code }, i) => `${i},${id},${day},${code},False`).reverse();
    return put(folder, 'dates.csv', `,ID,Time,Visit_Codes,Labels\r\n${lines.join('\r\n')}\r\n`);
  },
  'pyhealth: Parquet': (_t, folder) =>
    putParquet(
      folder,
      'frame.parquet',
      'id, time, visit_codes, labels',
      prefixed.map(({ id, visit, code }) => `${id}, ${visit}, ${text(code)}, 0`).reverse(),
    ),
  'long-form: Parquet': (_t, folder) =>
    putParquet(
      folder,
      'long.parquet',
      'patient, visit, modality, code',
      small
        .map(({ id, visit, modality, code }) => `${id}, ${visit}, ${text(modality)}, ${text(code)}`)
        .reverse(),
    ),
  'long-form: shards': async (_t, folder) => {
    for (const [i, id] of [12, 11, 10].entries()) {
      const own = small.filter((row) => row.id === id);
      const rows = own.map((row) => `${id}, ${row.visit}, ${text(row.modality)}, ${text(row.code)}`);
      await putParquet(folder, `shards/${i}.parquet`, 'patient, visit, modality, code', rows);
    }
    return join(folder, 'shards');
  },
  'meds: visits by hadm_id': async (_t, folder) => {
    const rows = small.map(
      ({ id, day, stay, modality, code }) =>
        `${id}, TIMESTAMP '${day} 12:00:00', ${text(`${medsClass[modality]}//${code}`)}, NULL::FLOAT, ${stay}`,
    );
    const others = [
      "10, NULL::TIMESTAMP, 'GENDER//F', NULL, NULL",
      "99, TIMESTAMP '2100-01-01', 'MEDS_BIRTH', NULL, NULL",
    ];
    const columns = 'subject_id, time, code, numeric_value, hadm_id';
    await putParquet(folder, 'meds/data/train/0.parquet', columns, [...rows.slice(3), ...others]);
    await putParquet(folder, 'meds/data/train/1.parquet', columns, rows.slice(0, 3));
    return join(folder, 'meds');
  },
  'meds: visits by day, dotted codes': (_t, folder) =>
    putParquet(
      folder,
      'one.parquet',
      'subject_id, time, code',
      small.map(({ id, day, modality, code }, i) => {
        const at = modality === 'px' || code.startsWith('E') ? code : `${code.slice(0, 3)}.${code.slice(3)}`;
        return `${id}, TIMESTAMP '${day} 0${i}:00:00', ${text(`${dotted[modality]}/${at}`)}`;
      }),
    ),
  'token-cohort': async (_t, folder) => {
    const { cohort } = await read(folder, await put(folder, 'source.json', JSON.stringify(patients)));
    const write = (file: string, content: string | Uint8Array) =>
      put(folder, `artifact/${file}`, '').then((path) => writeFile(path, content));
    await writeTokenCohort({ write }, cohort);
    return join(folder, 'artifact');
  },
};
