import { inventedRules } from '../../pipelines/exchange/write/invented-facts.ts';
import type { ExportLayout } from '../../pipelines/exchange/write/layout.ts';
import { exportLayouts } from '../../pipelines/exchange/write/registry.ts';
import { code, markdownTable, page } from './markdown.ts';

const list = (items: readonly string[]): string => items.map((item) => `- ${item}`).join('\n');

const layoutSection = ({ name, title, reader, formats, loses, invents, example }: ExportLayout): string =>
  [
    `### ${name}`,
    `${title[0]?.toUpperCase()}${title.slice(1)}, for ${reader}.${formats.length > 0 ? ` Tables as ${formats.join(' or ')}; default ${formats[0]}.` : ''}`,
    `\`\`\`python\n${example(formats[0]).join('\n')}\n\`\`\``,
    `It cannot hold:\n\n${list(loses)}`,
    ...(invents.length > 0 ? [`Invented beside dates, stays and identifiers:\n\n${list(invents)}`] : []),
  ].join('\n\n');

/** docs/export.md: every layout that is registered. */
export const exportPage = (): string =>
  page(
    'Data sets of synthetic patients',
    '`understudy export` writes a synthetic cohort as a data set that existing code reads.',
    '```sh\nnpx understudy export nightly-20261201-031500-3f9a --generator halo --as mimic-iii --out synthetic-mimic\n```',
    'What is exported is named by the id of a run (which needs its server), by the first six digits or more of the digest of a ' +
      'report or of a synthetic cohort in the store, or by the folder of a cohort. `run --local` prints the folder of each ' +
      'cohort and the digest of its report; given the run or the report, the data set has the verdict beside it. ' +
      '`--generator` is needed where a run has several. Options are in [cli.md](cli.md#export). Cohorts of real patients are refused.',
    'A run leaves data sets by itself where its config asks for them, of every branch or of some. They are artifacts of its store, ' +
      'and `run --out DIR` copies them to `DIR/<branch>-<layout>`:',
    '```yaml\nexport:\n  - mimic-iii\n  - { as: long, format: csv, generators: [halo] }\n```',
    markdownTable(
      ['layout', 'what it is', 'for', 'tables'],
      [...exportLayouts.values()].map(({ name, title, reader, formats }) => [
        code(name),
        title,
        reader,
        formats.join(', ') || 'a format of its own',
      ]),
    ),
    '## What lies in the folder',
    list([
      '`README.md`: lines of Python that read the data set, the verdict of its run, what is invented, what is lost, where it ' +
        'comes from, and terms.',
      '`data-dictionary.csv`: every file, column and type, with its meaning.',
      '`lineage.json`: run, generator, seed, digests, and every stage from the source to the cohort with its parameters. Paths of ' +
        'the machine are left out.',
      '`SYNTHETIC.txt`: the mark that these patients do not exist. Parquet files also have it in their metadata, tables of MIMIC-III ' +
        'in `ADMISSIONS.DIAGNOSIS`.',
    ]),
    'The folder appears whole or not at all, and one that holds anything is left as it is. The same cohort, layout, format and ' +
      '`--seed` give the same bytes on any day and in any folder. Parquet is compressed with Snappy, which every reader takes; CSV with gzip.',
    "In CSV a text cell that begins with `=`, `+`, `-`, `@`, a tab or a line break, and is no number, has a `'` before it, so that no " +
      "spreadsheet runs it as a formula. Take one `'` away to get the text back; `evaluate` does so in `long` tables.",
    '## What is invented',
    'A model samples which codes a patient has in which visit, the labels, and, where it can, demographics, numbers of lab tests and ' +
      'the days between admissions. A data set needs more, which is invented from `--seed`:',
    list(Object.values(inventedRules)),
    'Nothing else is invented, unless a layout says so below. A fact that was not sampled is empty where the layout can leave it ' +
      'empty. A patient has the same dates in every layout. Identifiers begin at the same numbers in every data set: before you put ' +
      'two of them together, add a number to those of one.',
    'Ranges of lab tests and of days, where the run has `labs: buckets` or `gaps: true`, leave as the number that was sampled in ' +
      'them and as the time between two admissions ([continuous-variables.md](continuous-variables.md)).',
    '## Layouts',
    ...[...exportLayouts.values()].map(layoutSection),
    'To add a layout, add its file to `pipelines/exchange/write/layouts`: SELECTs over the tables of `export-tables.ts`, the meaning ' +
      'of each column, and what it loses. Tests of equal bytes and of the data dictionary, this page and the command find it.',
  );
