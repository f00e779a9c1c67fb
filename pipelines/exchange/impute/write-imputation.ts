import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StageError } from '../../../schemas/errors.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import type { Imputation } from '../../generation/generator.ts';
import { fileLiteral, literal, openDatabase } from '../../kernel/duckdb.ts';

const formats: Readonly<Record<string, string>> = {
  '.parquet': 'FORMAT parquet, COMPRESSION zstd',
  '.csv': 'FORMAT csv, HEADER',
  '.json': 'FORMAT json, ARRAY true',
};

/** Throws InvalidUsage unless the name ends as one of the formats does. */
export const checkImputationFile = (path: string): void => {
  if (formats[extname(path).toLowerCase()] === undefined)
    throw new StageError(
      'InvalidUsage',
      `the file for the result should end in ${Object.keys(formats).join(', ')}, and is called ${JSON.stringify(path)}`,
    );
};

/** Rows as numbers only, so that no cell needs quotes. */
function* numberRows({ patient, visit, code, probability }: Imputation): Generator<string> {
  const chunk = 4096;
  for (let first = 0; first < patient.length; first += chunk) {
    let text = '';
    for (let i = first; i < Math.min(patient.length, first + chunk); i++)
      text += `${i},${patient[i]},${visit[i]},${code[i]},${probability[i]}\n`;
    yield text;
  }
}

/**
 * Writes a table `patient, visit, kind, code, title, probability` into `folder/name`, in the format of the
 * name's end: patients and visits counted from 0. DuckDB does the writing; `scratch` is its own, and must be
 * there afterwards.
 */
export const writeImputation = async (
  { imputation, vocabulary }: { imputation: Imputation; vocabulary: Vocabulary },
  place: { folder: string; name: string; scratch: string },
): Promise<void> => {
  const { folder, name, scratch } = place;
  checkImputationFile(name);
  await mkdir(scratch, { recursive: true });
  const [rows, words] = [join(scratch, 'rows.csv'), join(scratch, 'words.json')];
  await pipeline(Readable.from(numberRows(imputation)), createWriteStream(rows));
  const named = vocabulary.codes.map(({ modality, code, title, bucket }, token) => {
    const range = bucket && `${bucket.low} to ${bucket.high}${bucket.unit ? ` ${bucket.unit}` : ''}`;
    return { token, kind: modality, code, title: [title, range].filter(Boolean).join(', ') || null };
  });
  await writeFile(words, JSON.stringify(named));
  const database = await openDatabase(scratch, [folder]);
  try {
    const table = `read_csv(${fileLiteral(rows)}, header = false, auto_detect = false, columns = {'i': 'INTEGER',
      'patient': 'INTEGER', 'visit': 'INTEGER', 'token': 'INTEGER', 'probability': 'FLOAT'})`;
    const dictionary = `read_json(${fileLiteral(words)}, format = 'array', columns = {token: 'INTEGER', kind: 'VARCHAR',
      code: 'VARCHAR', title: 'VARCHAR'})`;
    await database.run(
      `COPY (SELECT patient, visit, kind, code, title, probability FROM ${table} JOIN ${dictionary} USING (token)
         ORDER BY i) TO ${literal(join(folder, name))} (${formats[extname(name).toLowerCase()]})`,
    );
  } finally {
    database.close();
  }
};
