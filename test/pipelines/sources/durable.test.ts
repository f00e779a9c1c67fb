// Many rows in bounded memory; stopped or killed in mid-extraction, nothing is left outside the draft.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import test, { type ExecutionContext } from 'ava';
import { openDatabase, steadily } from '../../../pipelines/kernel/duckdb.ts';
import { mimicFolder } from '../../helpers/mimic-folder.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';
import { digestsOf, query, runExtract, startExtract } from './run-extract.ts';

/** The small tables with many invented laboratory rows, one in 1,000 of them of nobody. */
const manyLabs = async (t: ExecutionContext, rows: number): Promise<string> => {
  const folder = await mimicFolder(t, { 'LABEVENTS.csv': null });
  const connection = await (await DuckDBInstance.create()).connect();
  await connection.run(`COPY (
    SELECT i AS row_id, CASE WHEN i % 1000 = 0 THEN 99 ELSE 10 END AS subject_id, 100 AS hadm_id,
      50800 + i % 700 AS itemid, strftime(TIMESTAMP '2140-01-01' + to_seconds(i % 300000), '%Y-%m-%d %H:%M:%S') AS charttime,
      i % 997 AS value, i % 997 AS valuenum, 'mEq/L' AS valueuom, NULL AS flag
    FROM range(${rows}) AS r(i)
  ) TO '${join(folder, 'LABEVENTS.csv')}' (FORMAT csv, HEADER)`);
  connection.closeSync();
  return folder;
};

test.serial('two million rows: bounded memory, and beats in between', async (t) => {
  const rows = 2_000_000;
  const source = await manyLabs(t, rows);
  const before = process.memoryUsage().rss;
  let peak = before;
  const sampler = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 50);
  const whole = await runExtract(t, source).finally(() => clearInterval(sampler));
  t.like(whole.tables['LABEVENTS'], {
    read: rows,
    kept: rows - rows / 1000,
    rejected: { 'unknown-patient': rows / 1000 },
  });
  t.log(`${Math.round((peak - before) / 2 ** 20)} MiB more than at rest, ${whole.beats.length} beats`);
  t.true(peak - before < 700 * 2 ** 20);
  t.true(whole.beats.filter(({ phase }) => phase === 'LABEVENTS').length > 1);
});

test.serial(
  'killed in mid-extraction, it leaves nothing outside its draft and can begin again',
  async (t) => {
    const source = await manyLabs(t, 300_000);
    const root = await tempFolder(t);
    const folders = { draft: join(root, 'draft'), temp: join(root, 'temp'), home: join(root, 'home') };
    for (const folder of Object.values(folders)) await mkdir(folder);
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'extract-child.ts'), source, folders.draft],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        cwd: folders.home,
        env: { TMPDIR: folders.temp, HOME: folders.home },
      },
    );
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    const [, signal] = await once(child, 'exit');
    t.is(signal, 'SIGKILL');
    t.true((await readdir(folders.draft)).includes('scratch'), 'it was killed in mid-extraction');
    t.deepEqual(await readdir(folders.temp), []);
    t.deepEqual(await readdir(folders.home), []);
    t.deepEqual((await readdir(source)).length, 6);

    await runExtract(t, source, folders.draft);
    t.deepEqual(await digestsOf(folders.draft), await digestsOf((await runExtract(t, source)).folder));
    t.false((await readdir(folders.draft)).includes('scratch'));
  },
);

test.serial('a body that is asked to stop clears its scratch', async (t) => {
  const draft = await tempFolder(t);
  const body = startExtract(await mimicFolder(t), draft);
  for (
    let next = await body.next();
    !next.done && next.value.phase !== 'LABEVENTS';
    next = await body.next()
  );
  t.true((await readdir(draft)).includes('scratch'));
  await body.return({});
  t.false((await readdir(draft)).includes('scratch'));
  t.false((await readdir(draft)).includes('labs.parquet'));
});

test.serial('a statement beats while it runs, and stops when no consumer listens any more', async (t) => {
  const scratch = join(await tempFolder(t), 'scratch');
  await mkdir(scratch);
  const database = await openDatabase(scratch, []);
  t.teardown(() => database.close());
  const endless = database.rows(
    'SELECT sum(a.range * b.range) FROM range(10000000) AS a, range(10000000) AS b',
  );
  const beats = steadily(database, endless);
  t.false((await beats.next()).done);
  await t.throwsAsync(Promise.all([beats.throw(new Error('cancelled')), endless]), {
    message: /cancelled|INTERRUPT/,
  });
  t.deepEqual(await database.rows('SELECT 1 AS one'), [{ one: 1 }]);
});

test.serial('the database sees its own folders and no network', async (t) => {
  const scratch = join(await tempFolder(t), 'scratch');
  await mkdir(scratch);
  const database = await openDatabase(scratch, []);
  t.teardown(() => database.close());
  const refusal = { message: /disabled by configuration/ };
  await t.throwsAsync(database.run("SELECT * FROM read_csv('https://localhost/x.csv')"), refusal);
  await t.throwsAsync(database.run("SELECT * FROM read_text('/etc/hostname')"), refusal);
  await t.throwsAsync(database.run('INSTALL httpfs'), { message: /disabled|configuration/ });
  await t.throwsAsync(database.run('SET enable_external_access = true'), { message: /locked|Cannot/ });
});

test.serial('extraction is the same whatever the clock and the place', async (t) => {
  const source = await mimicFolder(t);
  const first = await runExtract(t, source);
  const second = await runExtract(t, await mimicFolder(t));
  const report = (folder: string) =>
    query(t, folder, `SELECT content FROM read_text('${folder}/extraction.json')`);
  t.deepEqual(await report(first.folder), await report(second.folder));
});
