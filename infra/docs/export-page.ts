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

/** What bench/export-readers.py printed on 2026-12-01, but for the READMEs. */
const readersPrinted = [
  'meds 0.4.1: events 142555, codes 1525, subjects 1000, labels 25, result valid',
  'meds 0.3.3: events 142555, codes 1525, subjects 1000, labels 25, result valid',
  'MIMIC-III benchmark, extract_subjects: subjects 1000, stays 1218, phenotypes 25, labels_per_stay 5.78, phenotypes_that_occur 25',
  "PyHealth's MIMIC3Dataset: patients 1000, events 138687",
  '  task LengthOfStayPredictionMIMIC3: result 1195 samples',
  '  task ReadmissionPredictionMIMIC3: result no sample (There are zero samples in the dataset, please check the task and processors.)',
  '  task MortalityPredictionMIMIC3: result no sample (There are zero samples in the dataset, please check the task and processors.)',
  '  task ReadmissionPredictionMIMIC3, NDC = DRUG: result no sample (Expected 2 unique labels, got 1)',
  '  task MortalityPredictionMIMIC3, NDC = DRUG: result no sample (Expected 2 unique labels, got 1)',
];

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
    "## Read by other people's code",
    'Every Parquet file of every layout is read with `parquetjs-lite` 0.8.7 in a test, row by row as DuckDB reads it ' +
      '([ADR 12](adr/0012-duckdb-writes-parquet.md)). Python code is run by `bench/export-readers.py`, which names its packages. ' +
      'On 1,000 patients of `marginal`, trained on the 100 patients of the MIMIC-III demo with `modalities: [dx, px, rx, lab]`, ' +
      '`labs: buckets` and `gaps: true`, it printed:',
    `\`\`\`text\n${readersPrinted.join('\n')}\n\`\`\``,
    'Beside them it runs the lines of Python above in each folder. What is behind the lines:',
    list([
      'Tasks of PyHealth that count drugs by NDC drop every visit without one, and no generator samples NDC numbers. Fill the column ' +
        "first (`prescriptions['NDC'] = prescriptions['DRUG']`), or use your own task with `event.drug`.",
      'With the column filled, readmission and mortality have one class here: the demo has too few returns for ranges of days, so ' +
        'these were invented and none is below 30 days, and the model samples no deaths. A task on them says nothing about the model.',
      'Lengths of stay are always invented: a task on them has samples and nothing to learn.',
      'The benchmark computes its phenotypes from the diagnoses of each stay; it does not look at the sampled labels of a patient.',
      'In MEDS, a drug whose name has a slash is under `UNDERSTUDY//rx//`, because our reader of `MEDICATION//` takes what stands before one.',
    ]),
    'To add a layout, add its file to `pipelines/exchange/write/layouts`: SELECTs over the tables of `export-tables.ts`, the meaning ' +
      'of each column, and what it loses. Tests of equal bytes and of the data dictionary, this page and the command find it.',
  );
