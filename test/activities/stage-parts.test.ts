import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { defineBody, type StageBody } from '../../activities/stage-body.ts';
import { runStage } from '../../activities/stage-runner.ts';
import { createFileStore } from '../../infra/store/fs.ts';
import { stages } from '../../schemas/stages/index.ts';
import type { Store } from '../../schemas/store.ts';
import { localHost } from '../helpers/local-host.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const real = { kind: 'token-cohort', digest: 'a'.repeat(64) } as const;
const synthetic = { kind: 'token-cohort', digest: 'b'.repeat(64) } as const;
type Similarity = StageBody<typeof stages.similarity>;

/** Computes one part per metric asked for, notes which, and writes what they gave. Parts have two steps. */
const body = (computed: string[], code = import.meta.url): Similarity =>
  defineBody(stages.similarity, {
    code: import.meta.url,
    async *run({ params, inputs }, { draft, part }) {
      const found: unknown[] = [];
      for (const name of params.metrics ?? []) {
        const { seed, options } = params;
        const task = { name, code: [code], params: { seed, options: options[name] ?? {} }, inputs };
        found.push(
          yield* part(task, async function* () {
            yield { step: 1, of: 2 };
            computed.push(name);
            yield { step: 2, of: 2 };
            return { name, value: name.length / 3 };
          }),
        );
      }
      await draft.write('found.json', JSON.stringify(found));
      return { parts: found.length };
    },
  });

const run = (store: Store, similarity: Similarity, params: object, host = localHost()) =>
  runStage(
    stages.similarity,
    similarity,
    { node: 'similarity:x', params, inputs: { real, synthetic, models: [] } },
    { store, engine: 'e' },
    host,
  );

test('adding a part computes one, and what came from the cache is the same to the byte', async (t) => {
  const store = createFileStore(await tempFolder(t));
  const computed: string[] = [];
  await run(store, body(computed), { metrics: ['a', 'b'] });
  t.deepEqual(computed.splice(0), ['a', 'b']);
  const more = await run(store, body(computed), { metrics: ['a', 'b', 'c'] });
  t.deepEqual(computed.splice(0), ['c']);
  const fresh = await run(createFileStore(await tempFolder(t)), body([]), { metrics: ['a', 'b', 'c'] });
  t.deepEqual(more.ref, fresh.ref);
});

test('only what decides a part computes it anew: its settings, its code, its inputs', async (t) => {
  const store = createFileStore(await tempFolder(t));
  const computed: string[] = [];
  await run(store, body(computed), { metrics: ['a', 'b'] });
  computed.length = 0;
  await run(store, body(computed), { metrics: ['a', 'b'], options: { b: { size: 3 } } });
  t.deepEqual(computed.splice(0), ['b']);
  await run(store, body(computed), { metrics: ['a', 'b'], replicates: 7 });
  t.deepEqual(computed.splice(0), [], 'these parts do not look at it');
  const otherCode = new URL('../helpers/temp-folder.ts', import.meta.url).href;
  await run(store, body(computed, otherCode), { metrics: ['b', 'a'] });
  t.deepEqual(computed.splice(0), ['b', 'a']);
});

test('a stage that was stopped goes on after the last part that was done', async (t) => {
  const folder = await tempFolder(t);
  const store = createFileStore(folder);
  const computed: string[] = [];
  let seen = 0;
  const abort = new AbortController();
  const dying = localHost({
    signal: abort.signal,
    beat: () => {
      // Two beats a part: the fourth is inside the second, after its work and before it is kept.
      if (++seen === 4) abort.abort(new Error('machine lost'));
    },
  });
  await t.throwsAsync(run(store, body(computed), { metrics: ['a', 'b', 'c'] }, dying), {
    message: 'machine lost',
  });
  t.deepEqual(computed.splice(0), ['a', 'b']);
  t.deepEqual(await readdir(join(folder, 'temp')), [], 'nothing is left half-written');
  await run(store, body(computed), { metrics: ['a', 'b', 'c'] }, localHost({ attempt: 2 }));
  t.deepEqual(computed, ['b', 'c']);
});

test('the log says which parts were known and why the others were not', async (t) => {
  const store = createFileStore(await tempFolder(t));
  const said: string[] = [];
  const log = {
    info: (fields: { part?: string; why?: string; by?: string }, text?: string) => {
      if (fields.part) said.push(`${fields.part}: ${text}, ${fields.why ?? fields.by}`);
    },
    warn: () => undefined,
    debug: () => undefined,
  };
  await run(store, body([]), { metrics: ['a'] });
  await run(store, body([]), { metrics: ['a', 'b'] }, localHost({ log }));
  await run(store, body([]), { metrics: ['b'], seed: 4 }, localHost({ log }));
  t.deepEqual(said, [
    'a: part from the cache, test-run',
    'b: part not in the cache, never run',
    'b: part not in the cache, param seed 0 -> 4',
  ]);
});
