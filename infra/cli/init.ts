import { relative, resolve } from 'node:path';
import { z } from 'zod';
import { localPath } from '../../schemas/local-path.ts';
import { outputFile } from '../output.ts';
import { defineCommand } from './command.ts';
import { defaultConfigFile } from './load-config.ts';
import { columns } from './table.ts';

/**
 * Tables of codes and the code system of each. Lab results are left out: they are most of the rows and of the
 * vocabulary, so a user adds them deliberately.
 */
const modalityOf: Readonly<Record<string, string>> = {
  DIAGNOSES_ICD: 'dx',
  PROCEDURES_ICD: 'px',
  PRESCRIPTIONS: 'rx',
};

/** A path in a YAML file, quoted so that no character of it means something else. */
const quoted = (path: string): string => JSON.stringify(path);

const configText = (source: string, modalities: readonly string[], patients: number): string =>
  `# A run of Understudy on ${patients.toLocaleString('en-US')} patients. Every key is in docs/config.md; what is not here has its default.
name: nightly
source: ${quoted(source)}
seed: 0
tokens:
  # Code systems to learn: diagnoses, procedures, drugs, lab tests. Fewer train faster.
  modalities: [${modalities.join(', ')}]
generators:
  # The baseline that every model must beat, and a model whose size follows the number of patients.
  - marginal
  - halo
report:
  title: Synthetic patients
  # Groups of fewer real patients are left out of every number that is written.
  suppressBelow: 11
`;

export const initCommand = defineCommand({
  name: 'init',
  summary: 'write a small run config for a source folder, ready to run',
  positionals: z.object({ source: localPath.describe('folder with the tables of the hospital') }),
  options: z.object({
    out: localPath.default(defaultConfigFile).describe('file to write'),
    force: z.boolean().default(false).describe('replace a file that exists there'),
  }),
  async run({ source, out, force }, io) {
    const file = await outputFile(out, force);
    try {
      const { surveyTables, tableRow } = await import('./source-survey.ts');
      const tables = await surveyTables(source);
      const rowsOf = (name: string) => tables.find(({ table }) => table === name)?.rows ?? 0;
      const modalities = Object.entries(modalityOf).flatMap(([name, modality]) =>
        rowsOf(name) > 0 ? [modality] : [],
      );
      const place = relative(resolve(out, '..'), resolve(source)) || '.';
      await file.publish(configText(place, modalities, rowsOf('PATIENTS')));
      io.out(columns(tables.map(tableRow)));
      const given = out === defaultConfigFile ? '' : ` --config ${out}`;
      const next = [`npx understudy plan${given}`, `npx understudy run --local${given}`];
      io.out(`wrote ${out}\n${next.map((line) => `next  ${line}`).join('\n')}`);
      return { config: resolve(out), tables, next };
    } finally {
      await file.discard();
    }
  },
});
