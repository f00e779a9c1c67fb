/**
 * How well generators that can condition predict patients that they were not trained on: lpl and mpl (PromptEHR, equations 6–8), and how
 * many of the codes that a visit has are among the ten most probable ones of the model. On the MIMIC-III demo, or on
 * the folder of MIMIC-III tables that is given. Labels follow from diagnoses: `--without-labels` leaves them out.
 * docs/perplexity.md has the results.
 *
 *   node bench/imputation.ts [--small] [--without-labels] [--seed 1] [FOLDER]
 */
import { parseArgs } from 'node:util';
import { startBackend } from '../infra/backend.ts';
import type { ImputeRequest, Sampler } from '../pipelines/generation/generator.ts';
import { splitColumns } from '../pipelines/generation/training-data.ts';
import { generators } from '../pipelines/generators/registry.ts';
import { drainAsync } from '../pipelines/kernel/steps.ts';
import imputationPerplexity from '../pipelines/metrics/similarity/imputation-perplexity.ts';
import { kindOfTokens } from '../pipelines/patients/kind-tokens.ts';
import type { VisitColumns } from '../pipelines/patients/visit-columns.ts';
import { tokenKinds } from '../schemas/ehr.ts';
import { demoFolder, tokensOf } from './demo-cohort.ts';

const { values, positionals } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    'without-labels': { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
  },
  allowPositionals: true,
});
const source = positionals[0] ?? demoFolder;

/** Columns without every third code of each visit; these are to be predicted. */
const halfHidden = (columns: VisitColumns): { shown: VisitColumns; hidden: Set<string> } => {
  const offsets = new Int32Array(columns.codeOffsets.length);
  const codes: number[] = [];
  const hidden = new Set<string>();
  for (let visit = 0; visit + 1 < offsets.length; visit++) {
    for (let i = columns.codeOffsets[visit] as number; i < (columns.codeOffsets[visit + 1] as number); i++)
      if (i % 3 === 0) hidden.add(`${visit} ${columns.codes[i]}`);
      else codes.push(columns.codes[i] as number);
    offsets[visit + 1] = codes.length;
  }
  return { shown: { ...columns, codeOffsets: offsets, codes: Int32Array.from(codes) }, hidden };
};

/** Records without their last visit, of patients who have two or more; the visits taken away, by patient. */
const withoutLast = (columns: VisitColumns): { shown: VisitColumns; hidden: Set<string> } => {
  const { visitOffsets, codeOffsets, codes } = columns;
  const hidden = new Set<string>();
  const [visits, ends, kept] = [[0], [0], [] as number[]];
  for (let patient = 0; patient + 1 < visitOffsets.length; patient++) {
    const [first, end] = [visitOffsets[patient] as number, visitOffsets[patient + 1] as number];
    const shown = end - first > 1 ? end - 1 : end;
    for (let visit = first; visit < shown; visit++) {
      for (let i = codeOffsets[visit] as number; i < (codeOffsets[visit + 1] as number); i++)
        kept.push(codes[i] as number);
      ends.push(kept.length);
    }
    visits.push(ends.length - 1);
    if (shown < end)
      for (let i = codeOffsets[shown] as number; i < (codeOffsets[end] as number); i++)
        hidden.add(`${patient} ${codes[i]}`);
  }
  const shown = {
    ...columns,
    visitOffsets: Int32Array.from(visits),
    codeOffsets: Int32Array.from(ends),
    codes: Int32Array.from(kept),
  };
  return { shown, hidden };
};

/** Share of hidden codes that are among the predicted ones. */
const recall = async (
  sampler: Sampler,
  request: ImputeRequest,
  hidden: ReadonlySet<string>,
  keyOf: (patient: number, visit: number, code: number) => string,
): Promise<number> => {
  if (!sampler.impute) return Number.NaN;
  const { patient, visit, code } = await drainAsync(sampler.impute({ ...request, top: 10 }));
  const found = Array.from(code, (token, i) => keyOf(patient[i] as number, visit[i] as number, token));
  return found.filter((key) => hidden.has(key)).length / hidden.size;
};

const recalls = async (sampler: Sampler, columns: VisitColumns, kinds: Uint8Array) => {
  const at = (patient: number, visit: number) => (columns.visitOffsets[patient] as number) + visit;
  const some = halfHidden(columns);
  const next = withoutLast(columns);
  const rows: Record<string, number> = {
    completion: await recall(
      sampler,
      { columns: some.shown, task: 'completion' },
      some.hidden,
      (p, v, code) => `${at(p, v)} ${code}`,
    ),
    'next-visit': await recall(
      sampler,
      { columns: next.shown, task: 'next-visit' },
      next.hidden,
      (p, _, code) => `${p} ${code}`,
    ),
  };
  for (const kind of tokenKinds.filter((_, k) => kinds.includes(k))) {
    const hidden = new Set<string>();
    for (let v = 0; v + 1 < columns.codeOffsets.length; v++)
      for (let i = columns.codeOffsets[v] as number; i < (columns.codeOffsets[v + 1] as number); i++)
        if (kinds[columns.codes[i] as number] === tokenKinds.indexOf(kind))
          hidden.add(`${v} ${columns.codes[i]}`);
    const request = { columns, task: 'cross-modal' as const, kinds: [kind] };
    rows[`${kind} from the others`] = await recall(
      sampler,
      request,
      hidden,
      (p, v, code) => `${at(p, v)} ${code}`,
    );
  }
  return rows;
};

const { device, library } = await startBackend();
const { vocabulary, ...tokens } = await tokensOf(source);
const cohort = { vocabulary, ...tokens };
const [train, validation, heldOut] = (['train', 'validation', 'holdout'] as const).map((split) =>
  splitColumns(cohort, split),
) as [VisitColumns, VisitColumns, VisitColumns];
const holdout = values['without-labels'] ? { ...heldOut, labels: new Uint8Array(0) } : heldOut;
console.log(
  `${library} on ${device}; ${vocabulary.codes.length} codes, ${holdout.visitOffsets.length - 1} holdout patients`,
);
for (const [name, generator] of generators) {
  const given = values.small && name !== 'marginal' ? { epochs: 2 } : {};
  const config = generator.config.parse(given);
  const began = performance.now();
  const fitting = await generator.fit({ vocabulary, train, validation }, config, Number(values.seed));
  if (values.small && name === 'halo') {
    fitting.dispose();
    continue;
  }
  while (!fitting.finished) await fitting.step();
  const saved = await fitting.model();
  fitting.dispose();
  const trained = performance.now();
  const open = () => generator.open(saved, config, vocabulary);
  const { rows } = await drainAsync(
    imputationPerplexity.compute({
      ...{ vocabulary, train, validation, holdout, synthetic: holdout, model: open },
      ...{ rows: [], options: {}, seed: 1, replicates: values.small ? 20 : 1000 },
    }),
  );
  const scored = performance.now();
  console.log(
    `\n${name}: trained in ${((trained - began) / 1000).toFixed(0)} s, scored in ${((scored - trained) / 1000).toFixed(0)} s`,
  );
  for (const { row, value, interval, n } of rows) {
    const around = interval ? ` [${interval.map((end) => end.toPrecision(3)).join(', ')}]` : '';
    if (value !== null) console.log(`  ${row.padEnd(20)} ${value.toPrecision(3)}${around} n ${n}`);
  }
  const sampler = await open();
  if (sampler.impute)
    for (const [task, share] of Object.entries(await recalls(sampler, holdout, kindOfTokens(vocabulary))))
      console.log(`  recall@10 ${task.padEnd(22)} ${share.toFixed(4)}`);
  sampler.dispose();
}
