import { assemble } from '../../schemas/stages/assemble.ts';
import { exportDataSet } from '../../schemas/stages/export.ts';
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
 * Everything: real tables in, one branch per entry of `generators` (and per number of training patients,
 * where an entry asks for several) with a model, a synthetic cohort and its scorecards, and one report.
 *
 * A branch's name stands in its node ids and in the params of its scoring stages, never in those of training
 * and sampling: two branches that differ in name alone share their model and their cohort.
 *
 * What is required: the shared nodes and the report. One branch among several is not, so that a training that
 * diverges costs its own column of the report and not the night: the run then completes, and its result and
 * status name what failed. A branch that is alone is required: without it there is nothing to report.
 */
export const nightly = defineDag('nightly', (dag, run) => {
  const { seed, checkpointEvery } = run;
  // One threshold for what is written and what is shown.
  const shared = { seed, suppressBelow: run.report.suppressBelow };
  const { source, layout, rejectLimit } = run;
  const events = dag.add(extract, {}, { source, layout, rejectLimit });
  const cohort = dag.add(assemble, { events }, { ...run.cohort, seed });
  const real = dag.add(tokenize, { cohort }, { ...run.tokens, seed });
  const required = run.generators.flatMap(({ trainingSizes = [1] }) => trainingSizes).length === 1;
  /** A model of the store is read as it is there; one outside is taken into the store first. */
  const startOf = (model: string, generator: string, branch: string) => {
    const place = { id: `import-model:${branch}`, required };
    return storedModel(model) ?? dag.add(importModel, {}, { model, generator }, place);
  };
  const chosen = run.generators.flatMap(({ trainingSizes = [1], from: model, ...generator }) => {
    const { name, as: branch = name } = generator;
    const from = model === undefined ? [] : [startOf(model, name, branch)];
    return trainingSizes.map((size) => ({ ...generator, branch: cohortName(branch, size), from, size }));
  });

  const branches = chosen.map(({ name, branch, from, config, sampling, size }) => {
    const at = (stage: string) => ({ id: `${stage}:${branch}`, required });
    const model = dag.add(
      train,
      { cohort: real, from },
      { generator: name, config, patients: size === 1 ? undefined : size, seed, checkpointEvery },
      at('train'),
    );
    const synthetic = dag.add(
      generate,
      { model, cohort: real },
      { ...run.generate, sampling, seed },
      at('generate'),
    );
    const scored = { real, synthetic, models: [model] };
    const cards = [
      dag.add(similarity, scored, { ...run.similarity, ...shared, branch }, at('similarity')),
      dag.add(utility, scored, { ...run.utility, ...shared, branch }, at('utility')),
      dag.add(privacy, scored, { ...run.privacy, ...shared, branch }, at('privacy')),
    ];
    return { branch, model, synthetic, cards };
  });

  const inputs = {
    real,
    models: branches.map(({ model }) => model),
    synthetic: branches.map(({ synthetic }) => synthetic),
    cards: branches.flatMap(({ cards }) => cards),
  };
  const page = dag.add(report, inputs, run.report);
  // After the report, so that its verdict lies in every data set.
  for (const { as, format, generators } of run.export ?? [])
    for (const { branch, synthetic } of branches)
      if (generators === undefined || generators.includes(branch)) {
        const place = { id: `export:${branch}:${as}${format === undefined ? '' : `-${format}`}`, required };
        dag.add(exportDataSet, { synthetic, report: page }, { as, format, branch, seed }, place);
      }
});
