import test from 'ava';
import {
  type ExampleRules,
  generationExamples,
  packExamples,
  type Task,
  trainingExample,
} from '../../../../../pipelines/generators/promptehr/records/examples.ts';
import { streamsOf } from '../../../../../pipelines/generators/promptehr/records/streams.ts';
import { RandomSource } from '../../../../../pipelines/kernel/random.ts';
import { bucketedBatches } from '../../../../../pipelines/nn/training/batches.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../../../../../pipelines/patients/visit-columns.ts';

const layout = streamsOf({
  codes: (['dx', 'px', 'rx', 'dx', 'dx', 'rx'] as const).map((modality, i) => ({ modality, code: `${i}` })),
});

/** Patient 0 has two visits, patient 1 one. */
const cohort = (): VisitColumns => {
  const builder = new VisitColumnsBuilder();
  builder.addPatient(
    [
      [0, 1],
      [2, 3, 4],
    ],
    [1],
  );
  builder.addPatient([[5]], [0]);
  return builder.build();
};
const columns = cohort();
const second = { columns, patient: 0, visit: 1 };

const first = [4, 6, 12, 7, 8, 13, 9, 10, 11, 5]; // <v> <dx> 0 </dx> <px> 1 </px> <rx> </rx> </v>
const dx = { kind: 0, inputs: [6, 15, 16], targets: [2, 3, 0] };
const px = { kind: 1, inputs: [8], targets: [0] };
const rx = { kind: 2, inputs: [10, 14], targets: [1, 0] };

const rules = (task: Task, more: Partial<ExampleRules> = {}): ExampleRules => ({
  contextTokens: 64,
  order: 'canonical',
  tasks: { ...{ longitudinal: 0, crossModal: 0, generation: 0, completion: 0 }, [task]: 1 },
  corrupted: 0,
  corruption: { tokens: ['mask', 'infill', 'delete'], rate: 0.3, shuffle: true, permute: true },
  ...more,
});
const random = new RandomSource(4, 'corruption');
const exampleIn = (task: Task, epoch: number, more: Partial<ExampleRules> = {}) =>
  trainingExample(layout, rules(task, more), second, random, epoch);

/** The different examples of a task over many epochs, by what is asked. */
const variants = (task: Task) => {
  const found = new Map<string, ReturnType<typeof exampleIn>>();
  for (let epoch = 0; epoch < 40; epoch++) {
    const example = exampleIn(task, epoch);
    found.set(example.spans.map(({ kind }) => kind).join(), example);
  }
  return found;
};

test('longitudinal: the visits before tell every span', (t) => {
  t.deepEqual(exampleIn('longitudinal', 0), {
    ...{ patient: 0, context: [1, ...first, 2], spans: [dx, px, rx] },
  });
});

test('cross-modal: the visits before and the other spans tell one', (t) => {
  const found = variants('crossModal');
  t.deepEqual([...found.keys()].sort(), ['0', '1', '2']);
  t.deepEqual(found.get('0')?.context, [1, ...first, 4, 8, 9, 10, 14, 11, 5, 2]);
  t.deepEqual(found.get('2')?.context, [1, ...first, 4, 6, 15, 16, 7, 8, 9, 5, 2]);
  t.deepEqual(found.get('2')?.spans, [rx]);
});

test('generation: the first spans tell those after them', (t) => {
  const found = variants('generation');
  t.deepEqual([...found.keys()].sort(), ['0,1,2', '1,2', '2']);
  t.deepEqual(found.get('0,1,2')?.context, [1, ...first, 2]);
  t.deepEqual(found.get('1,2')?.context, [1, ...first, 4, 6, 15, 16, 7, 5, 2]);
  t.deepEqual(found.get('1,2')?.spans, [px, rx]);
});

test('completion: the visit is given corrupted, the one before as it is, and all spans are predicted whole', (t) => {
  for (let epoch = 0; epoch < 20; epoch++) {
    const { context, spans } = exampleIn('completion', epoch);
    t.deepEqual(context.slice(0, 11), [1, ...first]);
    t.deepEqual(spans, [dx, px, rx]);
  }
  const contexts = Array.from({ length: 20 }, (_, epoch) => exampleIn('completion', epoch).context.join());
  t.true(new Set(contexts).size > 5);
});

test('the share of corrupted contexts and of tasks is as told', (t) => {
  const clean = [1, ...first, 2].join();
  const corrupted = Array.from({ length: 2000 }, (_, epoch) => epoch).filter(
    (epoch) => exampleIn('longitudinal', epoch, { corrupted: 0.5 }).context.join() !== clean,
  );
  // Half are corrupted; of these, the six orders of the spans leave one in six, and most of those lose a token.
  t.true(corrupted.length > 800 && corrupted.length < 1000, `${corrupted.length}`);
  const tasks = { longitudinal: 1, crossModal: 2, generation: 0, completion: 1 };
  const asked = Array.from(
    { length: 2000 },
    (_, epoch) => exampleIn('longitudinal', epoch, { tasks }).spans.length,
  );
  t.true(Math.abs(asked.filter((spans) => spans === 1).length - 1000) < 70);
});

test('shuffled order: a span’s codes are predicted in any order, its end last', (t) => {
  const seen = new Set<string>();
  for (let epoch = 0; epoch < 30; epoch++) {
    const span = exampleIn('longitudinal', epoch, { order: 'shuffled' }).spans[0];
    seen.add(`${span?.inputs} ${span?.targets}`);
  }
  t.deepEqual([...seen].sort(), ['6,15,16 2,3,0', '6,16,15 3,2,0']);
});

test('an example depends on seed, epoch and visit alone', (t) => {
  const mixed = rules('generation', {
    corrupted: 0.5,
    tasks: { longitudinal: 1, crossModal: 1, generation: 1, completion: 1 },
  });
  const exampleOf = (visit: number, epoch: number, seed = 4) =>
    trainingExample(
      layout,
      mixed,
      { columns, patient: visit < 2 ? 0 : 1, visit },
      new RandomSource(seed, 'corruption'),
      epoch,
    );
  const forward = [0, 1, 2].map((visit) => exampleOf(visit, 7));
  const backward = [2, 1, 0].map((visit) => exampleOf(visit, 7)).reverse();
  t.deepEqual(forward, backward);
  const over = (change: (i: number) => unknown) =>
    new Set(Array.from({ length: 20 }, (_, i) => JSON.stringify(change(i)))).size;
  t.true(over((epoch) => exampleOf(1, epoch)) > 10);
  t.true(over((seed) => exampleOf(1, 0, seed)) > 10);
});

test('what does not fit is cut; a cut span has no end', (t) => {
  const { context, spans } = exampleIn('longitudinal', 0, { contextTokens: 8 });
  t.deepEqual(context, [1, 4, 6, 12, 7, 8, 13, 2]);
  t.deepEqual(spans, [dx, px, rx]);
  const short = exampleIn('longitudinal', 0, { contextTokens: 2 });
  t.deepEqual(short.context, [1, 2]);
  t.deepEqual(short.spans[0], { kind: 0, inputs: [6, 15], targets: [2, 3] });
});

test('validation: each span given those before it, nothing drawn', (t) => {
  const examples = generationExamples(layout, 64, second);
  t.deepEqual(
    examples.map(({ spans }) => spans),
    [[dx], [px], [rx]],
  );
  t.deepEqual(
    examples.map(({ context }) => context),
    [
      [1, ...first, 2],
      [1, ...first, 4, 6, 15, 16, 7, 5, 2],
      [1, ...first, 4, 6, 15, 16, 7, 8, 9, 5, 2],
    ],
  );
  t.deepEqual(generationExamples(layout, 64, { columns, patient: 1, visit: 2 })[0]?.context, [1, 2]);
});

test('a batch lays contexts and spans out, several spans on one context', (t) => {
  const examples = [
    exampleIn('longitudinal', 0),
    ...generationExamples(layout, 64, { columns, patient: 1, visit: 2 }),
  ];
  const batch = packExamples(
    examples.slice(0, 2),
    { numeric: [], categorical: [], labels: [0] },
    columns,
    'canonical',
  );
  t.deepEqual([...batch.contexts.offsets], [0, 12, 14]);
  t.deepEqual([...batch.spans.tokens], [6, 15, 16, 8, 10, 14, 6]);
  t.deepEqual([...batch.spans.offsets], [0, 3, 4, 6, 7]);
  t.deepEqual([...batch.sources], [0, 0, 0, 1]);
  t.deepEqual([...batch.heads], [0, 1, 2, 0]);
  t.deepEqual([...batch.targets], [2, 3, 0, 0, 1, 0, 0]);
  t.deepEqual([...batch.categories], [1, 0]);
  t.deepEqual([...(batch.floors ?? [])], [1, 3, 4, 1, 1, 2, 1], 'no code comes below the one before');
});

test('batches hold every item once, of similar length, in an order of their own per epoch', (t) => {
  const lengths = Int32Array.from({ length: 1000 }, (_, i) => (i * 7919) % 500);
  const order = new RandomSource(1, 'order');
  const batches = bucketedBatches(lengths, 16, order, 0);
  t.is(batches.length, 63);
  t.deepEqual(
    batches.flatMap((batch) => [...batch]).sort((a, b) => a - b),
    [...lengths.keys()],
  );
  const spread = (items: Int32Array) => {
    const own = items.map((i) => lengths[i] as number);
    return Math.max(...own) - Math.min(...own);
  };
  t.true(batches.every((batch) => spread(batch) < 120));
  t.deepEqual(bucketedBatches(lengths, 16, order, 0), batches);
  t.notDeepEqual(bucketedBatches(lengths, 16, order, 1), batches);
  const firstItems = Array.from(
    { length: 40 },
    (_, epoch) => bucketedBatches(lengths, 16, order, epoch)[0]?.[0],
  );
  t.true(
    new Set(firstItems.map((i) => Math.floor((lengths[i ?? 0] as number) / 100))).size === 5,
    'short ones do not come first',
  );
  t.deepEqual(bucketedBatches(new Int32Array(0), 16, order, 0), []);
});
