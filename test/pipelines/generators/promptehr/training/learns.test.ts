import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import type { Generator, Sampler } from '../../../../../pipelines/generation/generator.ts';
import marginal from '../../../../../pipelines/generators/marginal.ts';
import promptehr from '../../../../../pipelines/generators/promptehr.ts';
import { drainAsync } from '../../../../../pipelines/kernel/steps.ts';
import imputationPerplexity from '../../../../../pipelines/metrics/similarity/imputation-perplexity.ts';
import { columnsAsWritten } from '../../../metrics/golden-cohorts.ts';
import { plantedDrugs } from '../../planted-cohort.ts';

/** The planted patients, diagnoses 0 and 1 bringing drugs 2, 3 and 4, 5; a patient has one of the two throughout. */
const data = plantedDrugs();
const { validation: holdout, ...seen } = data;

const settings = {
  ...{ width: 32, encoderLayers: 1, decoderLayers: 1, attentionHeads: 2, feed: 32, promptHidden: 4 },
  ...{ learningRate: 0.005, epochs: 25, batch: 16, dropout: 0, prompts: { labels: [] } },
};

const fitted = async (generator: Generator, given: object): Promise<() => Promise<Sampler>> => {
  const config = generator.config.parse(given);
  const none = { ...holdout, visitOffsets: Int32Array.of(0), codeOffsets: Int32Array.of(0) };
  const validation = { ...none, codes: new Int32Array(0), labels: new Uint8Array(0) };
  const fitting = await generator.fit({ ...seen, validation }, config, 1);
  while (!fitting.finished) await fitting.step();
  const saved = await fitting.model();
  fitting.dispose();
  return () => generator.open(saved, config, data.vocabulary);
};

test('a trained network fills in held-out records far better than the marginals do', async (t) => {
  await startBackend();
  const [floor, network] = [await fitted(marginal, {}), await fitted(promptehr, settings)];
  const perplexities = async (model: () => Promise<Sampler>) => {
    const input = { ...data, holdout, synthetic: holdout, rows: [], options: {}, seed: 1, replicates: 0 };
    const { rows } = await drainAsync(imputationPerplexity.compute({ ...input, model }));
    return new Map(rows.map(({ row, value }) => [row, value ?? Number.NaN]));
  };
  const [rough, fine] = [await perplexities(floor), await perplexities(network)];
  // Two drugs of four, once the diagnosis is told or the patient has been seen; the marginals spread over all four.
  const value = (of: Map<string, number>, row: string) => of.get(row) ?? Number.NaN;
  t.true(value(rough, 'mpl-rx') > 3.8 && value(fine, 'mpl-rx') < 2.6, `${value(fine, 'mpl-rx')}`);
  t.true(value(fine, 'lpl-all') < value(rough, 'lpl-all'));
  t.true(value(fine, 'mpl-all') < 0.8 * value(rough, 'mpl-all'));

  const hits = async (open: () => Promise<Sampler>) => {
    const sampler = await open();
    const columns = columnsAsWritten([
      { visits: [[0]], labels: [0, 0] },
      { visits: [[1]], labels: [0, 0] },
    ]);
    const found: number[][] = [];
    for (const task of ['completion', 'cross-modal'] as const) {
      const { code } = await drainAsync(
        sampler.impute?.({ columns, task, kinds: ['rx'], top: 2 }) ?? t.fail(),
      );
      found.push([...code.subarray(0, 2)].sort(), [...code.subarray(2)].sort());
    }
    sampler.dispose();
    return found;
  };
  t.deepEqual(await hits(network), [
    [2, 3],
    [4, 5],
    [2, 3],
    [4, 5],
  ]);
  t.notDeepEqual(await hits(floor), [
    [2, 3],
    [4, 5],
    [2, 3],
    [4, 5],
  ]);
});
