import test from 'ava';
import {
  interfaceOf,
  readPromptModel,
  writePromptModel,
} from '../../../../../pipelines/generators/promptehr/records/prompt-model.ts';
import {
  contextStream,
  spanSteps,
  spansOf,
  streamsOf,
  visitStream,
} from '../../../../../pipelines/generators/promptehr/records/streams.ts';
import { VisitColumnsBuilder } from '../../../../../pipelines/patients/visit-columns.ts';

/** Kinds interleaved, as a vocabulary by frequency has them: dx 0 and 3, rx 1 and 4, px 2. */
const vocabulary = {
  codes: (['dx', 'rx', 'px', 'dx', 'rx'] as const).map((modality, i) => ({ modality, code: `${i}` })),
  labels: [],
};
const layout = streamsOf(vocabulary);

test('stream tokens: six marks, two per kind, then the codes; a head says its end and its codes', (t) => {
  t.deepEqual(layout.kinds, ['dx', 'px', 'rx']);
  t.is(layout.codeBase, 12);
  t.is(layout.tokens, 17);
  t.deepEqual(layout.heads, [
    { name: 'dx', tokens: [7, 12, 15] },
    { name: 'px', tokens: [9, 14] },
    { name: 'rx', tokens: [11, 13, 16] },
  ]);
  t.deepEqual([...layout.logitOf], [1, 1, 1, 2, 2]);
});

test('a visit is its spans in brackets; an empty span is written, one left out is not', (t) => {
  const builder = new VisitColumnsBuilder();
  builder.addPatient([[1], [0, 3, 4]], []);
  const spans = spansOf(layout, builder.build(), 1);
  t.deepEqual(spans, [[0, 3], [], [4]]);
  t.deepEqual(visitStream(layout, spans), [4, 6, 12, 15, 7, 8, 9, 10, 16, 11, 5]);
  t.deepEqual(visitStream(layout, [spans[0], undefined, spans[2]]), [4, 6, 12, 15, 7, 10, 16, 11, 5]);
  t.deepEqual(visitStream(layout, []), [4, 5]);
});

test('a context keeps the most recent visits that fit, or the beginning of the last', (t) => {
  const visits = [
    [4, 20, 5],
    [4, 21, 22, 5],
    [4, 5],
  ];
  t.deepEqual(contextStream(visits, 20), { tokens: [1, 4, 20, 5, 4, 21, 22, 5, 4, 5, 2], cut: 0 });
  t.deepEqual(contextStream(visits, 11).cut, 0);
  t.deepEqual(contextStream(visits, 10), { tokens: [1, 4, 21, 22, 5, 4, 5, 2], cut: 3 });
  t.deepEqual(contextStream(visits, 5), { tokens: [1, 4, 5, 2], cut: 7 });
  t.deepEqual(contextStream(visits.slice(0, 2), 5), { tokens: [1, 4, 21, 22, 2], cut: 4 });
  t.deepEqual(contextStream([], 5), { tokens: [1, 2], cut: 0 });
});

test('the decoder reads a span from its opening, and predicts its codes and its end', (t) => {
  t.deepEqual(spanSteps(layout, 2, [1, 4]), { inputs: [10, 13, 16], targets: [1, 2, 0] });
  t.deepEqual(spanSteps(layout, 1, []), { inputs: [8], targets: [0] });
});

test('a model is read again as it was written; another thing is refused', (t) => {
  const features = { numeric: [{ name: 'age', mean: 60, deviation: 9 }], categorical: [], labels: [] };
  const model = {
    architecture: {
      ...{ width: 8, encoderLayers: 1, decoderLayers: 2, attentionHeads: 2, feed: 16, positions: 33 },
      ...{ promptHidden: 4, tied: true, biased: false },
      ...interfaceOf(layout, features),
    },
    streams: layout,
    features,
    marginals: {
      labels: 0,
      facts: [
        { about: { kind: 'visits' as const, from: [1], tail: 0.2 }, levels: 1, parent: -1, shares: [1] },
      ],
    },
    settings: { contextTokens: 32, order: 'canonical' as const },
  };
  const written = JSON.parse(JSON.stringify(writePromptModel(model))) as Record<string, unknown>;
  t.deepEqual(readPromptModel(written, vocabulary), { ...model, untaught: undefined });
  t.throws(() => readPromptModel({ ...written, settings: {} }, vocabulary), {
    name: 'ArtifactCorrupt',
    message: /contextTokens/,
  });
});
