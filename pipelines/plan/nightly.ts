import { assemble } from '../../schemas/stages/assemble.ts';
import { extract } from '../../schemas/stages/extract.ts';
import { generate } from '../../schemas/stages/generate.ts';
import { importModel } from '../../schemas/stages/import-model.ts';
import { privacy } from '../../schemas/stages/privacy.ts';
import { report } from '../../schemas/stages/report.ts';
import { similarity } from '../../schemas/stages/similarity.ts';
import { tokenize } from '../../schemas/stages/tokenize.ts';
import { cohortName, train } from '../../schemas/stages/train.ts';
import { utility } from '../../schemas/stages/utility.ts';
import { storedModel } from '../../schemas/stored-model.ts';
import { defineDag } from './dag.ts';

/**
 * Everything: real tables in, one synthetic cohort and its scorecards per generator (and per number of patients that it
 * is to learn from, where several are asked for), one report.
 *
 * What is required: the shared nodes and the report. The branch of one generator among several is not, so that
 * a training that diverges costs its own column of the report and not the night: the run then completes, and its
 * result and status name what failed. A branch that is alone is required: without it there is nothing to report.
 */
export const nightly = defineDag('nightly', (dag, run) => {
  const { seed, checkpointEvery } = run;
  // One threshold for what is written and what is shown.
  const shared = { seed, suppressBelow: run.report.suppressBelow };
  const events = dag.add(extract, {}, { source: run.source, layout: run.layout });
  const cohort = dag.add(assemble, { events }, { ...run.cohort, seed });
  const real = dag.add(tokenize, { cohort }, { ...run.tokens, seed });
  const required = run.generators.flatMap(({ trainingSizes = [1] }) => trainingSizes).length === 1;
  /** A model of the store is read as it is there; one outside is taken into the store first. */
  const startOf = (model: string, generator: string) => {
    const place = { id: `import-model:${generator}`, required };
    return storedModel(model) ?? dag.add(importModel, {}, { model, generator }, place);
  };
  const chosen = run.generators.flatMap(({ trainingSizes = [1], from: model, ...generator }) => {
    const { name } = generator;
    const from = model === undefined ? [] : [startOf(model, name)];
    return trainingSizes.map((size) => ({ ...generator, from, size }));
  });

  const branches = chosen.map(({ name, from, config, sampling, size }) => {
    const at = (stage: string) => ({ id: `${stage}:${cohortName(name, size)}`, required });
    const model = dag.add(
      train,
      { cohort: real, from },
      { generator: name, config, ...(size !== 1 && { patients: size }), seed, checkpointEvery },
      at('train'),
    );
    const synthetic = dag.add(
      generate,
      { model, cohort: real },
      { ...run.generate, sampling, seed },
      at('generate'),
    );
    const models = [model];
    const cards = [
      dag.add(similarity, { real, synthetic, models }, { ...run.similarity, ...shared }, at('similarity')),
      dag.add(utility, { real, synthetic, models }, { ...run.utility, ...shared }, at('utility')),
      dag.add(privacy, { real, synthetic, models }, { ...run.privacy, ...shared }, at('privacy')),
    ];
    return { model, synthetic, cards };
  });

  const inputs = {
    real,
    models: branches.map(({ model }) => model),
    synthetic: branches.map(({ synthetic }) => synthetic),
    cards: branches.flatMap(({ cards }) => cards),
  };
  dag.add(report, inputs, run.report);
});
