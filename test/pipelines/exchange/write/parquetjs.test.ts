import { join } from 'node:path';
import test from 'ava';
import parquet from 'parquetjs-lite';
import { exportLayouts } from '../../../../pipelines/exchange/write/registry.ts';
import { exportTo, plainCodes, randomCohort } from './cohorts.ts';
import { exportPlaces, queries, type Row } from './read-back.ts';

/** Rows and footer of a file as `parquetjs-lite` reads them. */
const readParquet = async (path: string, columns?: readonly (readonly string[])[]) => {
  const reader = await parquet.ParquetReader.openFile(path);
  try {
    const cursor = reader.getCursor(columns);
    const rows: Record<string, unknown>[] = [];
    for (let row = await cursor.next(); row !== null; row = await cursor.next()) rows.push(row);
    return { rows, footer: reader.getMetadata() };
  } finally {
    await reader.close();
  }
};

/**
 * One form for both readers: DuckDB's null is an absent column of `parquetjs-lite`, its list a `list` of
 * `element`s, which is empty as `{}`; BigInt and Date become numbers.
 */
const plain = (value: unknown): unknown => {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Date) return value.getTime();
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value ?? undefined;
  const { list, ...others } = value as { list?: { element?: unknown }[] };
  if (list) return list.map(({ element }) => plain(element));
  const cells = Object.entries(others).filter(([, cell]) => cell !== undefined && cell !== null);
  return cells.length === 0 ? [] : Object.fromEntries(cells.map(([key, cell]) => [key, plain(cell)]));
};

const sameRows = (rows: readonly Row[]): unknown[] => rows.map(plain);

/** Layouts with Parquet files: by choice, or as MEDS always. */
const withParquet = [...exportLayouts].filter(
  ([name, { formats }]) => formats.includes('parquet') || name === 'meds',
);

for (const [name, { formats }] of withParquet)
  test(`parquetjs-lite reads every Parquet file of ${name}, row by row as DuckDB does`, async (t) => {
    const query = await queries(t);
    for (const demographics of [true, false]) {
      const { folder, scratch } = await exportPlaces(t);
      const labels = demographics ? ['Sepsis'] : [];
      const cohort = randomCohort(9, { patients: 12, codes: plainCodes, labels, demographics });
      const format = formats.length > 0 ? 'parquet' : undefined;
      const { files } = await exportTo(folder, scratch, name, { cohort, format });
      for (const file of files.filter((path) => path.endsWith('.parquet'))) {
        const { rows, footer } = await readParquet(join(folder, file));
        const expected = await query(`SELECT * FROM '${join(folder, file)}'`);
        t.is(rows.length, expected.length, file);
        t.deepEqual(sameRows(rows), sameRows(expected), file);
        t.like(footer, { synthetic: 'true', generator: 'marginal', layout: name });
        t.regex(footer['note'] ?? '', /SYNTHETIC/);
      }
    }
  });

test('parquetjs-lite reads nested columns, nulls inside and several row groups, as DuckDB writes them', async (t) => {
  const { folder } = await exportPlaces(t);
  const query = await queries(t);
  const file = join(folder, 'nested.parquet');
  await query(`COPY (SELECT i::INTEGER AS number, CASE WHEN i % 5 > 0 THEN 'code ' || i % 17 END AS code,
      ['x' || i, 'y'][1:i % 3] AS texts, {low: i::INTEGER, unit: CASE WHEN i % 4 > 0 THEN 'mg' END} AS range,
      [{code: 'k' || i % 7, count: i::BIGINT}] AS pairs
    FROM range(6000) t(i)) TO '${file}' (FORMAT parquet, COMPRESSION snappy, DICTIONARY_SIZE_LIMIT 0, ROW_GROUP_SIZE 2048, KV_METADATA {synthetic: 'true'})`);
  const expected = await query(`SELECT * FROM '${file}'`);
  const { rows } = await readParquet(file);
  t.deepEqual(sameRows(rows), sameRows(expected));
  const leaf = await readParquet(file, [['texts', 'list', 'element']]);
  t.deepEqual(
    leaf.rows.map(({ texts }) => plain(texts)),
    expected.map(({ texts }) => plain(texts)),
  );
  const above = await readParquet(file, [['texts']]);
  t.deepEqual(
    new Set(above.rows),
    new Set([undefined]),
    'ADR 12: a path that ends above the leaf gives no row',
  );
});
