import { mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { constants, gunzipSync } from 'node:zlib';
import { fileLiteral, openDatabase } from '../../pipelines/kernel/duckdb.ts';
import { mimicIii } from '../../pipelines/sources/mimic-iii.ts';
import { findSourceFiles, type SourceFile } from '../../pipelines/sources/source-folder.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { RunConfig } from '../../schemas/run-config.ts';
import { gib, memoryOfMachine, nearestFolder } from '../machine.ts';
import { createFileStore } from '../store/fs.ts';
import { lastTimes } from './run-times.ts';
import { durationText, numberText } from './run-view.ts';
import { columns } from './table.ts';

/** One table of a source. */
interface SurveyedTable {
  table: string;
  file: string;
  bytes: number;
  rows: number;
  /** True where `rows` follows from the length of the first lines. */
  estimated: boolean;
}

/** What a run will read and what this machine has for it. */
interface Survey {
  source: string;
  tables: SurveyedTable[];
  /** Bytes. */
  machine: { storeFree: number; memory: number; memoryFree: number };
  /**
   * Seconds that nodes of these names took when they last ran on this store; those that never ran are absent.
   */
  lastSeconds: Record<string, number>;
}

const sampled = 16 * 2 ** 20;
const newline = 10;

const linesIn = (bytes: Uint8Array): number => {
  let lines = 0;
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) lines++;
  return bytes.length > 0 && bytes.at(-1) !== newline ? lines + 1 : lines;
};

/**
 * Rows of a text table by its lines: counted where the first 16 MiB are all of it, else estimated from them.
 */
const textRows = async (path: string, isPacked: boolean) => {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(size, sampled)), 0, null, 0);
    const start = buffer.subarray(0, bytesRead);
    // The sample may end in the middle of a packed block: what is whole is unpacked.
    const text = isPacked ? gunzipSync(start, { finishFlush: constants.Z_SYNC_FLUSH }) : start;
    const lines = linesIn(text);
    const estimated = bytesRead < size;
    const all = estimated ? (lines * size) / bytesRead : lines;
    return { bytes: size, rows: Math.max(0, Math.round(all) - 1), estimated };
  } finally {
    await handle.close();
  }
};

const parquetRows = async (path: string) => {
  const handle = await open(path);
  const { size } = await handle.stat().finally(() => handle.close());
  const scratch = await mkdtemp(join(tmpdir(), 'understudy-plan-'));
  const database = await openDatabase(scratch, [dirname(resolve(path))]);
  try {
    const sql = `SELECT count(*) AS n FROM read_parquet(${fileLiteral(resolve(path))})`;
    const [row] = await database.rows<{ n: number }>(sql);
    return { bytes: size, rows: row?.n ?? 0, estimated: false };
  } finally {
    database.close();
    await rm(scratch, { recursive: true, force: true });
  }
};

const surveyFile = async ({ table, name, path, format }: SourceFile): Promise<SurveyedTable> => ({
  table: table.source,
  file: name,
  ...(await (format === 'parquet' ? parquetRows(path) : textRows(path, format === 'csv.gz'))),
});

/** The tables of a source folder. Throws SourceMissing and SourceMalformed as a run would. */
export const surveyTables = async (source: string): Promise<SurveyedTable[]> => {
  const tables: SurveyedTable[] = [];
  for (const file of await findSourceFiles(mimicIii, source)) tables.push(await surveyFile(file));
  return tables;
};

/**
 * Looks at the source of a run and at this machine; reads the beginning of each table, never a value of it.
 */
export const surveySource = async ({ source }: RunConfig, plan: Plan, store: string): Promise<Survey> => {
  const last = await lastTimes(plan, createFileStore(store));
  const { bavail, bsize } = await statfs(await nearestFolder(store));
  return {
    source,
    tables: await surveyTables(source),
    machine: { storeFree: bavail * bsize, ...memoryOfMachine() },
    lastSeconds: Object.fromEntries([...last].map(([id, { seconds }]) => [id, seconds])),
  };
};

const sizeText = (bytes: number): string =>
  bytes < 2 ** 20
    ? `${Math.ceil(bytes / 1024)} KiB`
    : bytes < 2 ** 30
      ? `${Math.ceil(bytes / 2 ** 20)} MiB`
      : gib(bytes);

/** A table and its size as cells of a row. */
export const tableRow = ({ table, file, bytes, rows, estimated }: SurveyedTable): string[] => [
  table,
  file,
  `${estimated ? 'about ' : ''}${numberText(rows)} rows`,
  sizeText(bytes),
];

/** A survey for a terminal. */
export const surveyText = ({ source, tables, machine, lastSeconds: last }: Survey, plan: Plan): string => {
  const total = tables.reduce((sum, { bytes }) => sum + bytes, 0);
  const known = plan.nodes.filter(({ id }) => id in last);
  const seconds = known.reduce((sum, { id }) => sum + (last[id] ?? 0), 0);
  const time =
    known.length === 0
      ? 'not known: no node of these names has run on this store'
      : `${durationText(seconds)} of work when ${known.length} of its ${plan.nodes.length} nodes last ran here; what is in the cache takes none`;
  return [
    `Source ${source}`,
    columns(tables.map(tableRow)),
    '\nThis machine',
    columns([
      ['disk', `${gib(machine.storeFree)} free for the store; the source has ${sizeText(total)}`],
      ['memory', `${gib(machine.memoryFree)} free of ${gib(machine.memory)}`],
      ['time', time],
    ]),
  ].join('\n');
};
