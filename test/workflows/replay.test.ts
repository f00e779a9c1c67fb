import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { Worker } from '@temporalio/worker';
import test from 'ava';
import { installRuntime, workflowsPath } from '../../infra/create-worker.ts';
import { createLog } from '../../infra/log.ts';
import {
  fromPlain,
  payloadsOf,
  type RecordedHistory,
  readable,
  recordedHistories,
} from '../helpers/history-file.ts';

const histories = await recordedHistories();
installRuntime(createLog('fatal'));

const replay = async (
  given: Pick<RecordedHistory, 'name' | 'history'>[],
): Promise<[string, string | undefined][]> => {
  const runs = given.map(({ name, history }) => ({ workflowId: name, history }));
  const results = Worker.runReplayHistories(
    { workflowsPath },
    (async function* () {
      yield* runs;
    })(),
  );
  const found: [string, string | undefined][] = [];
  for await (const { workflowId, error } of results) found.push([workflowId, error?.name]);
  return found.sort();
};

test('every recorded history replays on the workflows of today', async (t) => {
  t.deepEqual(
    await replay(histories),
    histories.map(({ name }) => [name, undefined]),
  );
});

test('what they show is recorded: retries, a failed branch, a cancelation, a cached run', (t) => {
  const text = Object.fromEntries(histories.map(({ name, plain }) => [name, readable(plain)]));
  t.regex(text['complete'] ?? '', /"cached\\?":false/);
  t.notRegex(text['cached'] ?? '', /"cached\\?":false/);
  t.regex(text['failed-branch'] ?? '', /"type":"InvalidConfig"/);
  t.regex(text['canceled'] ?? '', /EVENT_TYPE_ACTIVITY_TASK_CANCELED/);
  const retried = text['retried'] ?? '';
  t.is(retried.match(/"attempt":2,/g)?.length, 2, 'extraction and training');
  t.regex(retried, /TIMEOUT_TYPE_HEARTBEAT/);
});

test('runs under the first name of the workflow are among them', (t) => {
  t.true(histories.some(({ plain }) => readable(plain).includes('"workflowType":{"name":"regenerate"}')));
});

test('a history of other workflow code does not replay', async (t) => {
  const [first] = histories;
  if (!first) return t.fail('no history recorded');
  const plain = structuredClone(first.plain);
  const events = plain['events'] as { activityTaskScheduledEventAttributes?: { activityType: object } }[];
  const scheduled = events.find((event) => event.activityTaskScheduledEventAttributes);
  Object.assign(scheduled?.activityTaskScheduledEventAttributes?.activityType ?? {}, { name: 'other' });
  const [result] = await replay([{ name: 'forged', history: fromPlain(plain) }]);
  t.is(result?.[1], 'DeterminismViolationError');
});

/** Distinct values of columns of a demo table. Good for columns before any that holds a comma. */
const valuesOf = async (table: string, columns: string[]): Promise<string[]> => {
  const file = new URL(`../fixtures/mimic3-demo/${table}.csv.gz`, import.meta.url);
  const [header = '', ...rows] = gunzipSync(await readFile(file))
    .toString()
    .trim()
    .split('\n');
  const names = header.toUpperCase().replaceAll('"', '').split(',');
  const cells = rows.flatMap((row) => columns.map((name) => row.split(',')[names.indexOf(name)] ?? ''));
  return [...new Set(cells.map((cell) => cell.replaceAll('"', '')))].filter((cell) => cell !== '');
};

test('payloads are small and name no patient, admission, diagnosis or drug of the demo', async (t) => {
  const codes = await valuesOf('DIAGNOSES_ICD', ['ICD9_CODE']);
  const secret = new Set([
    ...(await valuesOf('ADMISSIONS', ['SUBJECT_ID', 'HADM_ID'])),
    // A shorter code may well be a count.
    ...codes.filter((code) => code.length > 4 || /^[0A-Z]/.test(code)),
  ]);
  const drugs = (await valuesOf('PRESCRIPTIONS', ['DRUG'])).filter((drug) => drug.length > 5);
  t.true(secret.size > 500 && drugs.length > 300);
  for (const { name, plain } of histories) {
    const payloads = payloadsOf(plain);
    t.true(payloads.length > 5);
    for (const payload of payloads) {
      t.true(payload.length < 8192, `${name}: a payload of ${payload.length} bytes`);
      const words = payload.split(/[^0-9A-Za-z.]+/).filter((word) => secret.has(word));
      const named = drugs.filter((drug) => payload.includes(drug));
      t.deepEqual([...words, ...named], [], `${name}: ${payload.slice(0, 200)}`);
    }
  }
});
