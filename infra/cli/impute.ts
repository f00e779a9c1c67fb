import { resolve } from 'node:path';
import { z } from 'zod';
import { named } from '../../pipelines/kernel/names.ts';
import { type TokenKind, tokenKinds } from '../../schemas/ehr.ts';
import { localPath } from '../../schemas/local-path.ts';
import { outputFile } from '../output.ts';
import { type CommandIo, defineCommand } from './command.ts';
import { driven } from './driven.ts';

const tasks = ['completion', 'next-visit', 'cross-modal'] as const;
const list = z.array(z.string()).optional();

const options = z.object({
  model: z.string().min(1).describe('folder of a fitted model, or `model:<digest>` in the store'),
  input: z.string().min(1).describe('the patients: file or folder in any layout that `evaluate` reads'),
  task: z
    .enum(tasks)
    .describe(
      'completion: further codes of every visit; next-visit: the visit after the last one; cross-modal: one kind of codes of every visit from the other kinds',
    ),
  kinds: list.describe(
    `kinds to predict, of ${tokenKinds.join(', ')}, separated by commas; default: all; cross-modal needs one`,
  ),
  demographics: list.describe(
    'demographics of every patient, as name=value separated by commas: sex=F,age=70',
  ),
  top: z.int().positive().default(10).describe('codes per kind and visit, the most probable ones'),
  out: localPath.describe(
    'result: .parquet, .csv or .json with patient, visit, kind, code, title, probability',
  ),
  force: z.boolean().default(false).describe('replace a file that exists there'),
});

const parts = (given: readonly string[] | undefined): string[] =>
  (given ?? [])
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '');

const chosenKinds = (given: string[] | undefined): TokenKind[] | undefined => {
  const known = new Map(tokenKinds.map((kind) => [kind as string, kind]));
  const kinds = [...new Set(parts(given))].map((name) => named('kind', known, name));
  return kinds.length > 0 ? kinds : undefined;
};

const imputedInto = async (given: z.output<typeof options>, io: CommandIo) => {
  const { imputeCohort } = await import('../../pipelines/exchange/impute/impute-cohort.ts');
  const { checkImputationFile, writeImputation } = await import(
    '../../pipelines/exchange/impute/write-imputation.ts'
  );
  const { modelPlace } = await import('./model-place.ts');
  const { startBackend } = await import('../backend.ts');
  checkImputationFile(given.out);
  const kinds = chosenKinds(given.kinds);
  const file = await outputFile(given.out, given.force);
  try {
    const { input, task, top, demographics } = given;
    const model = await modelPlace(given.model);
    await startBackend(io.err);
    const found = await driven(
      imputeCohort({
        model,
        input,
        task,
        top,
        ...(kinds && { kinds }),
        demographics: parts(demographics),
        scratch: file.scratch,
      }),
      io,
    );
    await file.publish((place) => writeImputation(found, place));
    return found;
  } finally {
    await file.discard();
  }
};

export const imputeCommand = defineCommand({
  name: 'impute',
  summary: 'predict codes that records lack: further codes of a visit, the next visit, another kind of codes',
  positionals: z.object({}),
  options,
  async run(given, io) {
    const { imputation, generator, layout, patients, visits, notes } = await imputedInto(given, io);
    for (const note of notes) io.err(`note: ${note}`);
    const rows = imputation.code.length;
    const file = resolve(given.out);
    io.out(
      `${generator}, ${given.task}: ${rows} codes for ${patients} patients with ${visits} visits, read as ${layout}\n\nresult  ${file}`,
    );
    return { generator, task: given.task, rows, patients, visits, layout, notes, file };
  },
});
