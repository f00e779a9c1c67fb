import test from 'ava';
import { z } from 'zod';
import { defineBody, type StageBody } from '../../activities/stage-body.ts';
import { type ArtifactRef, artifactRef } from '../../schemas/artifact.ts';
import { defineStage, type StageInputs, type StageOutput, type StageParams } from '../../schemas/stage.ts';
import { type StageName, type Stages, stages } from '../../schemas/stages/index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles only where the types are the same. */
const same = <A, B>(equal: Equal<A, B>): boolean => equal;

const policy = { queue: 'cpu', startToClose: '1h', heartbeat: '1m', attempts: 1 } as const;

test('kinds of inputs and output stay literal, lists stay lists', (t) => {
  t.true(same<StageInputs<Stages['generate']>['cohort'], ArtifactRef<'token-cohort'>>(true));
  t.true(same<StageOutput<Stages['train']>, ArtifactRef<'model'>>(true));
  t.true(same<StageInputs<Stages['report']>['cards'], ArtifactRef<'scorecard'>[]>(true));
  t.true(same<keyof StageInputs<Stages['extract']>, never>(true));
  t.true(same<StageParams<Stages['tokenize']>['order'], 'frequency' | 'alphabetical' | 'random'>(true));
});

test('a contract with a kind, queue or duration that does not exist does not compile', (t) => {
  const base = {
    name: 'x',
    title: '',
    version: 1,
    inputs: {},
    output: 'events',
    params: z.object({}),
  } as const;
  // @ts-expect-error there is no artifact of kind `table`
  defineStage({ ...base, output: 'table', policy });
  // @ts-expect-error a slot takes one kind, or any number of one kind
  defineStage({ ...base, inputs: { events: ['events', 'cohort'] }, policy });
  // @ts-expect-error there are two queues
  defineStage({ ...base, policy: { ...policy, queue: 'tpu' } });
  // @ts-expect-error a duration has a unit
  defineStage({ ...base, policy: { ...policy, heartbeat: '90' } });
  t.is(defineStage({ ...base, policy }).output, 'events', 'what is right compiles and is kept');
});

test('a body that reads an input or param its contract lacks does not compile', (t) => {
  const body: StageBody<Stages['assemble']> = defineBody(stages.assemble, {
    code: import.meta.url,
    async *run({ params, inputs }, { open }) {
      await open(inputs.events);
      // @ts-expect-error assemble has no cohort among its inputs
      const cohort = inputs.cohort;
      // @ts-expect-error assemble has no such parameter
      const order = params.order;
      yield { step: 1, of: 1 };
      return { known: [cohort, order].every((value) => value === undefined) ? 1 : 0 };
    },
  });
  defineBody(stages.extract, {
    code: import.meta.url,
    // @ts-expect-error a body reports steps, not percents
    async *run() {
      yield { percent: 3 };
      return {};
    },
  });
  t.is(body.code, import.meta.url);
});

test('contracts are frozen, named by their key, and say what each parameter is', (t) => {
  for (const [key, stage] of Object.entries(stages)) {
    t.is(stage.name, key as StageName);
    t.true(Object.isFrozen(stage));
    t.true(stage.version >= 1);
    t.notThrows(() => z.toJSONSchema(stage.params, { io: 'input' }));
  }
});

test('every stage but the first takes only what an earlier one makes', (t) => {
  const made = new Set<string>();
  for (const stage of Object.values(stages)) {
    for (const slot of Object.values(stage.inputs))
      t.true(made.has(typeof slot === 'string' ? slot : slot[0]));
    made.add(stage.output);
  }
});

test('a reference is a kind and a digest', (t) => {
  t.true(artifactRef.safeParse({ kind: 'events', digest: 'a'.repeat(64) }).success);
  t.false(artifactRef.safeParse({ kind: 'events', digest: 'A'.repeat(64) }).success);
  t.false(artifactRef.safeParse({ kind: 'table', digest: 'a'.repeat(64) }).success);
});
