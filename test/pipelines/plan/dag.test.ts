import test from 'ava';
import { generators } from '../../../pipelines/generators/registry.ts';
import { compile } from '../../../pipelines/plan/compile.ts';
import { DagBuilder, defineDag } from '../../../pipelines/plan/dag.ts';
import { nightly } from '../../../pipelines/plan/nightly.ts';
import { plan } from '../../../schemas/plan.ts';
import { runConfig } from '../../../schemas/run-config.ts';
import { stages } from '../../../schemas/stages/index.ts';

const { extract, assemble, tokenize, train, generate, report } = stages;
const registered = [...generators.keys()];
const config = (changes: Record<string, unknown> = {}) =>
  runConfig.parse({ source: 'tables', generators: registered, ...changes });

const real = (dag: DagBuilder) => {
  const events = dag.add(extract, {}, { source: 'tables' });
  return dag.add(tokenize, { cohort: dag.add(assemble, { events }, {}) }, {});
};

test('an edge of the wrong kind, a list for one, or wrong params is a type error', (t) => {
  const dag = new DagBuilder();
  const cohort = real(dag);
  const model = dag.add(train, { cohort, from: [] }, { generator: 'toy' });
  // @ts-expect-error a model is no cohort
  dag.add(generate, { model: cohort, cohort: model }, {}, { id: 'wrong kind' });
  // @ts-expect-error one model, not several
  dag.add(generate, { model: [model], cohort }, {}, { id: 'list for one' });
  // @ts-expect-error several models, not one
  dag.add(report, { real: cohort, models: model, synthetic: [], cards: [] }, {}, { id: 'one for list' });
  // @ts-expect-error params are checked against the stage's own schema
  t.throws(() => dag.add(train, { cohort, from: [] }, { generator: 1 }, { id: 'params' }), {
    name: 'InvalidConfig',
    message: /^params: params\.generator: expected text/,
  });
});

test('no two nodes share an id', (t) => {
  const dag = new DagBuilder();
  const cohort = real(dag);
  dag.add(train, { cohort, from: [] }, { generator: 'a' });
  t.throws(() => dag.add(train, { cohort, from: [] }, { generator: 'b' }), {
    instanceOf: RangeError,
    message: /train/,
  });
});

const cardsOf = (name: string) => [`similarity:${name}`, `utility:${name}`, `privacy:${name}`];

test('nightly fans out one branch per generator and gathers them in the report', (t) => {
  const compiled = compile(nightly, config());
  t.notThrows(() => plan.parse(JSON.parse(JSON.stringify(compiled))));
  t.deepEqual(
    compiled.nodes.map(({ id }) => id),
    [
      ...['extract', 'assemble', 'tokenize'],
      ...registered.flatMap((name) => [`train:${name}`, `generate:${name}`, ...cardsOf(name)]),
      'report',
    ],
  );
  const inputs = compiled.nodes.at(-1)?.inputs;
  t.deepEqual(
    inputs?.['models'],
    registered.map((name) => `train:${name}`),
  );
  t.deepEqual(inputs?.['cards'], registered.flatMap(cardsOf));
  t.true(compiled.nonRetryable.includes('Diverged'));
});

test('a generator among several is not required, one alone is', (t) => {
  const required = (names: string[]) =>
    compile(nightly, config({ generators: names }))
      .nodes.filter((node) => node.required)
      .map(({ id }) => id);
  const [first = ''] = registered;
  t.deepEqual(required([first]), [
    ...['extract', 'assemble', 'tokenize'],
    ...[`train:${first}`, `generate:${first}`, ...cardsOf(first)],
    'report',
  ]);
  if (registered.length > 1) t.deepEqual(required(registered), ['extract', 'assemble', 'tokenize', 'report']);
});

test('several training sizes make a branch each, and none of them alone is required', (t) => {
  const sizes = { generators: [{ name: 'marginal', trainingSizes: [0.25, 1] }] };
  const { nodes } = compile(nightly, config(sizes));
  t.deepEqual(
    nodes.map(({ id }) => id),
    [
      ...['extract', 'assemble', 'tokenize'],
      ...['marginal@25%', 'marginal'].flatMap((name) => [
        `train:${name}`,
        `generate:${name}`,
        ...cardsOf(name),
      ]),
      'report',
    ],
  );
  t.false(nodes.some(({ id, required }) => required && id.includes('marginal')));
  const plain = compile(nightly, config({ generators: ['marginal'] })).nodes.find(
    ({ stage }) => stage === 'train',
  );
  t.deepEqual(nodes.find(({ id }) => id === 'train:marginal')?.params, plain?.params);
});

test('one generator several times: names are in node ids and scoring, not in training and sampling', (t) => {
  const halo = { name: 'halo', config: { layers: 1 } };
  const again = { ...halo, as: 'halo-again', from: '/models/halo', trainingSizes: [0.5, 1] };
  const { nodes } = compile(nightly, config({ generators: ['marginal', halo, again] }));
  t.deepEqual(
    nodes.flatMap(({ id, stage }) => (['import-model', 'train', 'privacy'].includes(stage) ? [id] : [])),
    [
      'import-model:halo-again',
      ...['marginal', 'halo', 'halo-again@50%', 'halo-again'].flatMap((name) => [
        `train:${name}`,
        `privacy:${name}`,
      ]),
    ],
  );
  const params = (id: string) => nodes.find((node) => node.id === id)?.params;
  t.deepEqual(params('train:halo-again'), params('train:halo'));
  t.deepEqual(params('generate:halo-again'), params('generate:halo'));
  t.like(params('similarity:halo-again@50%'), { branch: 'halo-again@50%' });
  t.deepEqual(nodes.find(({ id }) => id === 'utility:halo-again@50%')?.inputs['models'], [
    'train:halo-again@50%',
  ]);
});

test('every default is in the plan, and the one seed everywhere', (t) => {
  const compiled = compile(nightly, config({ seed: 7 }));
  for (const { id, stage, params } of compiled.nodes) {
    if (['assemble', 'tokenize', 'train', 'generate'].includes(stage)) t.like(params, { seed: 7 }, id);
    if (id === 'train:halo') t.like(params, { config: { preset: 'auto', positiveWeight: 1 } });
  }
});

const refused = test.macro((t, changes: Record<string, unknown>, message: RegExp) => {
  t.throws(() => compile(nightly, config(changes)), { name: 'InvalidConfig', message });
});
test(
  'an unknown generator',
  refused,
  { generators: [{ name: 'hallo' }] },
  /^generators\[0\]: there is no generator "hallo"; did you mean halo\? \(there are: .*promptehr/,
);
test(
  'two branches of one name',
  refused,
  { generators: ['halo', { name: 'halo', as: 'halo-2' }, { name: 'halo', config: { layers: 1 } }] },
  /^generators\[2\]: generators\[0\] is called halo already; give this entry a name of its own, such as `as: halo-3`$/,
);
test(
  'a branch called as another generator that stands in the run',
  refused,
  { generators: ['marginal', { name: 'halo', as: 'marginal' }] },
  /^generators\[1\]: generators\[0\] is called marginal already/,
);
test(
  'a training size twice',
  refused,
  { generators: [{ name: 'marginal', trainingSizes: [0.5, 0.5] }] },
  /^generators\[0\]\.trainingSizes: 0\.5 is listed twice/,
);
test(
  'a wrong setting of a generator',
  refused,
  { generators: [{ name: 'halo', config: { epochs: 'many' } }] },
  /^generators\[0\]\.config\.epochs: /,
);
test(
  'settings of sampling where there are none',
  refused,
  { generators: [{ name: 'marginal', sampling: { temperature: 2 } }] },
  /^generators\[0\]\.sampling: marginal has no settings of sampling/,
);
test(
  'real patients as seeds of a generator that takes none',
  refused,
  { generators: ['marginal'], generate: { seedMode: 'warm' } },
  /^generate\.seedMode: marginal cannot build around real patients/,
);
test(
  'an unknown metric',
  refused,
  { similarity: { metrics: ['beauty'] } },
  /^similarity\.metrics\[0\]: there is no similarity metric "beauty" \(there are: /,
);

test(
  'a metric of another family',
  refused,
  { privacy: { metrics: ['code-pairs'] } },
  /^privacy\.metrics\[0\]: there is no privacy metric "code-pairs" \(there are: .*copies/,
);
test(
  'a wrong setting of a metric',
  refused,
  { privacy: { options: { copies: { nearShare: 2 } } } },
  /^privacy\.options\.copies\.nearShare: expected/,
);

test('settings of metrics are in the plan with their defaults', (t) => {
  const { nodes } = compile(nightly, config({ privacy: { options: { copies: { nearShare: 0.1 } } } }));
  t.like(nodes.find(({ stage }) => stage === 'privacy')?.params, {
    options: { copies: { nearShare: 0.1, neighbor: 2 } },
  });
});

test('how a generator samples is in the plan of its sampling, not of its training', (t) => {
  const planOf = (sampling: object) =>
    compile(nightly, config({ generators: ['marginal', { name: 'promptehr', sampling }] })).nodes;
  const params = (nodes: ReturnType<typeof planOf>, id: string) =>
    nodes.find((node) => node.id === id)?.params;
  const [one, two] = [planOf({}), planOf({ method: 'sample', topP: 0.9 })];
  t.deepEqual(params(one, 'train:promptehr'), params(two, 'train:promptehr'));
  t.like(params(one, 'generate:promptehr'), { sampling: { method: 'sample', temperature: 1 } });
  t.like(params(two, 'generate:promptehr'), { sampling: { topP: 0.9 } });
  t.like(params(two, 'generate:marginal'), { sampling: {} });
});
test(
  'a wrong setting of sampling',
  refused,
  { generators: [{ name: 'promptehr', sampling: { temperature: 'hot' } }] },
  /^generators\[0\]\.sampling\.temperature: expected a number, found "hot"/,
);

test('a training that starts from a model reads it from a node of its own, one for all sizes', (t) => {
  const asked = { name: 'halo', from: '/models/halo', trainingSizes: [0.5, 1] };
  const { nodes } = compile(nightly, config({ generators: ['marginal', asked] }));
  const find = (id: string) => nodes.find((node) => node.id === id);
  t.like(find('import-model:halo'), {
    stage: 'import-model',
    params: { model: '/models/halo', generator: 'halo' },
    inputs: {},
    required: false,
  });
  t.is(nodes.filter(({ stage }) => stage === 'import-model').length, 1);
  for (const id of ['train:halo', 'train:halo@50%'])
    t.deepEqual(find(id)?.inputs, { cohort: 'tokenize', from: ['import-model:halo'] });
  t.deepEqual(find('train:marginal')?.inputs, { cohort: 'tokenize', from: [] });
  const alone = compile(nightly, config({ generators: [{ name: 'halo', from: 'x' }] })).nodes;
  t.true(alone.every(({ required }) => required));
});
test('a model of the store is an input as it is there, by its digest and no path', (t) => {
  const digest = 'ab'.repeat(32);
  for (const from of [`model:${digest}`, digest]) {
    const compiled = compile(
      nightly,
      config({ generators: [{ name: 'halo', from, trainingSizes: [0.5, 1] }] }),
    );
    const trained = compiled.nodes.filter(({ stage }) => stage === 'train');
    t.is(trained.length, 2);
    for (const { inputs } of trained)
      t.deepEqual(inputs, { cohort: 'tokenize', from: [{ kind: 'model', digest }] });
    t.false(compiled.nodes.some(({ stage }) => stage === 'import-model'));
    t.deepEqual(plan.parse(JSON.parse(JSON.stringify(compiled))), compiled);
  }
});
test(
  'the beginning of a digest in a plan',
  refused,
  { generators: [{ name: 'halo', from: 'model:abcdef' }] },
  /^model:abcdef: expected all 64 digits of the digest, found 6/,
);
test(
  'model: with no digest behind it',
  refused,
  { generators: [{ name: 'halo', from: 'model:latest' }] },
  /^model:latest: expected model: and a digest, .* is written \.\/model:latest/,
);
test(
  'a model for a generator that cannot start from one',
  refused,
  { generators: [{ name: 'marginal', from: 'x' }] },
  /^generators\[0\]\.from: marginal cannot start from a model; these can: .*halo/,
);

test('a dag is drawn anew for each config', (t) => {
  const small = defineDag('small', (dag, run) => {
    dag.add(extract, {}, { source: run.source });
  });
  t.deepEqual(compile(small, config({ name: 'n' })).nodes[0]?.params, {
    source: 'tables',
    layout: 'mimic-iii',
  });
  t.is(compile(small, config({ name: 'n' })).name, 'n');
});

test('data sets come after the report, one per branch and entry; without `export` there is none', (t) => {
  const generators = ['marginal', { name: 'marginal', as: 'half', trainingSizes: [0.5, 1] }];
  const compiled = (entries?: unknown[]) => compile(nightly, config({ generators, export: entries })).nodes;
  const asked = compiled(['mimic-iii', { as: 'long', format: 'csv', generators: ['half@50%'] }]);
  const sets = asked.filter(({ stage }) => stage === 'export');
  t.deepEqual(
    sets.map(({ id }) => id),
    [
      'export:marginal:mimic-iii',
      'export:half@50%:mimic-iii',
      'export:half:mimic-iii',
      'export:half@50%:long-csv',
    ],
  );
  t.deepEqual(sets.at(-1)?.inputs, { synthetic: 'generate:half@50%', report: 'report' });
  t.deepEqual(sets.at(-1)?.params, { as: 'long', format: 'csv', branch: 'half@50%', seed: 0 });
  t.deepEqual(asked.slice(0, -sets.length), compiled(), 'all before it is as it was');
  t.deepEqual(compiled([]), compiled());
});

test('a data set of no layout, format or branch that there is, or asked for twice, is refused by its key', (t) => {
  const wrong: [entries: unknown[], message: RegExp][] = [
    [['mimic-i'], /^export\[0\]\.as: there is no layout "mimic-i"; did you mean mimic-iii\?/],
    [['long', { as: 'reference-json', format: 'csv' }], /^export\[1\]\.format: .*has a format of its own/],
    [
      [{ as: 'long', generators: ['marginale'] }],
      /^export\[0\]\.generators\[0\]: there is no branch "marginale"/,
    ],
    [
      ['long', { as: 'long', generators: ['marginal'] }],
      /^export\[1\]: the data set long of marginal is asked for twice/,
    ],
  ];
  for (const [entries, message] of wrong)
    t.throws(() => compile(nightly, config({ generators: ['marginal'], export: entries })), {
      name: 'InvalidConfig',
      message,
    });
});
