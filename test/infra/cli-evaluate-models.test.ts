import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { compilePlan } from '../../activities/compile-plan.ts';
import { startBackend } from '../../infra/backend.ts';
import { evaluateCommand } from '../../infra/cli/evaluate.ts';
import { main } from '../../infra/cli/main.ts';
import { createFileStore } from '../../infra/store/fs.ts';
import { generators } from '../../pipelines/generators/registry.ts';
import { metrics } from '../../pipelines/metrics/registry.ts';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { runPlanHere } from '../helpers/run-plan-here.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

test.before(async () => {
  await startBackend();
});

/** Small settings, so that a training takes a second. */
const settings: Record<string, object> = {
  halo: { layers: 1, heads: 2, embedding: 16, epochs: 2 },
  'halo-coarse': { layers: 1, heads: 2, embedding: 16, epochs: 2 },
  lstm: { layers: 1, width: 16, epochs: 2 },
  marginal: {},
  promptehr: {
    ...{ width: 16, encoderLayers: 1, decoderLayers: 1, attentionHeads: 2, feed: 16, promptHidden: 4 },
    ...{ epochs: 1, contextTokens: 60, calibration: 0 },
  },
};

const asksModel = [...metrics.values()].filter(({ needs }) => needs.includes('model'));

test('every metric, and with each generator every metric that asks its model, works from the command line', async (t) => {
  t.deepEqual(
    Object.keys(settings).sort(),
    [...generators.keys()].sort(),
    'a new generator needs small settings here',
  );
  t.true(asksModel.length > 2);
  const folder = await tempFolder(t);
  const store = createFileStore(folder);
  const config = {
    name: 'models',
    source: fileURLToPath(new URL('../fixtures/mimic3-demo/', import.meta.url)),
    generators: Object.entries(settings).map(([name, config]) => ({ name, config })),
    tokens: { modalities: ['dx'] },
    similarity: { metrics: [] },
    utility: { metrics: [] },
    privacy: { metrics: [] },
  };
  const refs = await runPlanHere(store, await compilePlan(config, store));
  const path = async (node: string) => {
    const { manifest, path: at } = await store.open(refs[node] as ArtifactRef);
    return dirname(await at(manifest.files[0]?.path as string));
  };
  for (const name of Object.keys(settings)) {
    const asked = name === 'halo' ? [...metrics.values()] : asksModel;
    let err = '';
    const exit = await main(
      [
        ...['evaluate', '--train', await path('tokenize'), '--synthetic', await path(`generate:${name}`)],
        ...['--model', await path(`train:${name}`), '--out', join(folder, `out-${name}`)],
        ...[
          '--replicates',
          '2',
          '--baseline',
          'none',
          '--metrics',
          asked.map((metric) => metric.name).join(),
        ],
      ],
      [evaluateCommand],
      {
        stdout: () => undefined,
        stderr: (text) => {
          err += text;
        },
        signal: new AbortController().signal,
      },
    );
    t.is(exit, 0, `${name}: ${err.split('\n').slice(-6).join('\n')}`);
  }
});
