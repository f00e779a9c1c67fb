import test from 'ava';
import { startBackend } from '../../../../infra/backend.ts';
import type { Generator, Sampler } from '../../../../pipelines/generation/generator.ts';
import { splitColumns, trainingData } from '../../../../pipelines/generation/training-data.ts';
import marginal from '../../../../pipelines/generators/marginal.ts';
import promptehr from '../../../../pipelines/generators/promptehr.ts';
import { drainAsync } from '../../../../pipelines/kernel/steps.ts';
import imputationPerplexity from '../../../../pipelines/metrics/similarity/imputation-perplexity.ts';
import { tokenizeCohort } from '../../../../pipelines/tokens/tokenize-cohort.ts';
import { stages } from '../../../../schemas/stages/index.ts';
import { assembleRows } from '../../cohort/event-tables.ts';

test('held-out demo patients: the trained network foresees and fills in better than the marginals', async (t) => {
  await startBackend();
  const { cohort } = await assembleRows('demo', stages.assemble.params.parse({}));
  const { tokens } = tokenizeCohort(cohort, stages.tokenize.params.parse({}));
  const data = trainingData(tokens);
  // Labels follow from diagnoses, which are asked for: nobody is told them.
  const holdout = { ...splitColumns(tokens, 'holdout'), labels: new Uint8Array(0) };

  const fitted = async (generator: Generator, given: object): Promise<() => Promise<Sampler>> => {
    const config = generator.config.parse(given);
    const fitting = await generator.fit(data, config, 1);
    while (!fitting.finished) await fitting.step();
    const saved = await fitting.model();
    fitting.dispose();
    return () => generator.open(saved, config, data.vocabulary);
  };
  // Of the 40 epochs by default these have most of the effect; docs/perplexity.md has the others'.
  const network = await fitted(promptehr, { epochs: 8, calibration: 0 });
  const floor = await fitted(marginal, {});

  const { rows } = await drainAsync(
    imputationPerplexity.compute({
      ...{ ...data, holdout, synthetic: holdout, model: network },
      ...{ rows: [], options: {}, seed: 1, replicates: 2000 },
    }),
  );
  for (const row of ['ratio-lpl-all', 'ratio-mpl-all']) {
    const { value, interval, n } = rows.find((found) => found.row === row) ?? {};
    t.log(`${row} ${value} [${interval}] of ${n} patients`);
    t.true((interval?.[1] ?? 1) < 1, `${row}: paired, patient by patient, all of the interval is below 1`);
  }

  /** Share of held-out codes among the k likeliest of their kind given the visit's other kinds, mean over k up to 30. */
  const recall = async (open: () => Promise<Sampler>): Promise<number> => {
    const sampler = await open();
    const most = 30;
    let found = 0;
    for (const kind of ['dx', 'px', 'rx'] as const) {
      if (!sampler.impute) throw new Error('both fill in');
      const request = { columns: holdout, task: 'cross-modal' as const, kinds: [kind], top: most };
      const { patient, visit, code } = await drainAsync(sampler.impute(request));
      const ranks = new Map<number, number>();
      code.forEach((token, i) => {
        const at = (holdout.visitOffsets[patient[i] as number] as number) + (visit[i] as number);
        const rank = ranks.get(at) ?? 0;
        ranks.set(at, rank + 1);
        const own = holdout.codes.subarray(holdout.codeOffsets[at], holdout.codeOffsets[at + 1]);
        if (own.includes(token)) found += (most - rank) / most;
      });
    }
    sampler.dispose();
    return found / holdout.codes.length;
  };
  const [ours, theirs] = [await recall(network), await recall(floor)];
  t.log(`recall ${ours} and ${theirs}`);
  t.true(ours > theirs, `${ours} of the codes found, ${theirs} by the marginals`);
});
