import test, { type ExecutionContext } from 'ava';
import { privacy } from '../../activities/privacy.ts';
import { runStage } from '../../activities/stage-runner.ts';
import { createFileStore } from '../../infra/store/fs.ts';
import type { TokenCohort } from '../../pipelines/patients/visit-columns.ts';
import { writeTokenCohort } from '../../pipelines/tokens/token-cohort-file.ts';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { splits } from '../../schemas/ehr.ts';
import { scorecard } from '../../schemas/scorecard.ts';
import { stages } from '../../schemas/stages/index.ts';
import type { Store } from '../../schemas/store.ts';
import { localHost } from '../helpers/local-host.ts';
import { someLineage } from '../helpers/store-contract.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { plantedPatients, plantedVocabulary } from '../pipelines/metrics/utility/planted-patients.ts';

const put = async (store: Store, cohort: TokenCohort, stage: string): Promise<ArtifactRef> => {
  const draft = await store.draft('token-cohort');
  await writeTokenCohort(draft, cohort);
  const recorded = { at: '2026-01-01T00:00:00Z', seconds: 1, attempt: 1 };
  return draft.commit({ lineage: someLineage({ stage }), summary: {}, recorded });
};

/** A store with a real cohort, half of it holdout, and a synthetic one. */
const setUp = async (t: ExecutionContext) => {
  const store = createFileStore(await tempFolder(t));
  const half = (patient: number) => splits.indexOf(patient % 2 === 0 ? 'train' : 'holdout');
  const split = Uint8Array.from({ length: 80 }, (_, patient) => half(patient));
  const vocabulary = plantedVocabulary;
  const real = await put(store, { ...plantedPatients(80, 0), vocabulary, split }, 'tokenize');
  const made = { ...plantedPatients(40, 1), vocabulary, generator: 'marginal' };
  return { store, real, synthetic: await put(store, made, 'generate') };
};

const score = async (at: Awaited<ReturnType<typeof setUp>>, metrics: string[], params = {}) => {
  const parts: string[] = [];
  const info = (fields: { part?: string }, text?: string) => {
    if (fields.part) parts.push(`${fields.part}: ${text}`);
  };
  const host = localHost({ log: { info, warn: () => undefined, debug: () => undefined } });
  const inputs = { real: at.real, synthetic: at.synthetic, models: [] };
  const task = { node: 'privacy:marginal', params: { metrics, replicates: 20, ...params }, inputs };
  const { ref } = await runStage(stages.privacy, privacy, task, { store: at.store, engine: 'e' }, host);
  const card = scorecard.parse(await (await at.store.open(ref)).json('scorecard.json'));
  return { ref, card, parts };
};

test('adding one metric computes one metric, and the card is the same as if all were computed', async (t) => {
  const at = await setUp(t);
  const first = await score(at, ['copies', 'membership-nearest']);
  t.deepEqual(first.parts, ['copies: part not in the cache', 'membership-nearest: part not in the cache']);
  const all = ['copies', 'identity-disclosure', 'membership-nearest', 'strongest-attack'];
  const more = await score(at, all);
  t.deepEqual(more.parts, [
    'copies: part from the cache',
    'identity-disclosure: part not in the cache',
    'membership-nearest: part from the cache',
  ]);
  const fresh = await score(await setUp(t), all);
  t.deepEqual(more.ref, fresh.ref);
  t.deepEqual([...new Set(more.card.rows.map(({ metric }) => metric))], all);
});

test("a metric's settings compute that metric alone; seed and replicates compute all", async (t) => {
  const at = await setUp(t);
  const metrics = ['copies', 'identity-disclosure'];
  await score(at, metrics);
  const { parts } = await score(at, metrics, { options: { copies: { nearShare: 0.5 } } });
  t.deepEqual(parts, ['copies: part not in the cache', 'identity-disclosure: part from the cache']);
  const spelled = await score(at, metrics, { options: { copies: { nearShare: 0.2, neighbor: 2 } } });
  t.true(
    spelled.parts.every((part) => part.endsWith('from the cache')),
    'defaults spelled out are the same',
  );
  const reseeded = await score(at, metrics, { seed: 1 });
  t.true(reseeded.parts.every((part) => part.endsWith('not in the cache')));
});

test('every row has its reference, interval and sentence; the strongest attack names itself', async (t) => {
  const { card } = await score(await setUp(t), ['membership-nearest', 'strongest-attack', 'copies']);
  const row = (metric: string, name: string) =>
    card.rows.find((found) => found.metric === metric && found.row === name);
  const auc = row('membership-nearest', 'auc');
  t.is(auc?.n, 80, 'forty of each kind');
  t.is(auc?.interval?.length, 2);
  t.true(typeof auc?.holdout === 'number');
  t.regex(
    row('strongest-attack', 'auc')?.note ?? '',
    /^The strongest of 4 by this number: membership-nearest/,
  );
  t.is(typeof row('copies', 'exact')?.holdout, 'number');
  t.is(card.metrics.at(-1)?.metric, 'strongest-attack', 'what sums up comes last');
  t.deepEqual(card.cohorts.holdout, { patients: 40, visits: card.cohorts.holdout.visits });
});

test('wrong settings of a metric are InvalidConfig and name the key', async (t) => {
  const at = await setUp(t);
  await t.throwsAsync(score(at, ['copies'], { options: { copies: { nearShare: 7 } } }), {
    name: 'InvalidConfig',
    message: /^privacy\.options\.copies\.nearShare: /,
  });
});
