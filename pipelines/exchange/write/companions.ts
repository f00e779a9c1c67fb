import type { TableFormat } from '../../../schemas/stages/export.ts';
import type { LineageStep } from '../../report/report-data.ts';
import { inventedRules } from './invented-facts.ts';
import type { ExportLayout, LayoutColumn } from './layout.ts';

/** Stands in every data set, and in the metadata of every Parquet file. */
export const markText =
  'SYNTHETIC: sampled by a generative model. None of these patients exists; do not use this to treat anyone.';

/** Where a cohort comes from. Nothing in it depends on when or where it was written. */
export interface ExportOrigin {
  generator: string;
  /** Id of the run. */
  run?: string | undefined;
  /** Digest of the cohort's artifact. */
  cohort?: string | undefined;
  /** The report's sentence on a release. */
  verdict?: string | undefined;
  /** Digest of the report with that sentence. */
  report?: string | undefined;
  /** The real data that the model was trained on, as a clause; no path of a machine. */
  source?: string | undefined;
  /** Every artifact on the way from the source to the cohort. */
  lineage: readonly LineageStep[];
}

/** A file of the data set; `rows` of a table. */
export interface WrittenFile {
  path: string;
  format: string;
  columns: readonly LayoutColumn[];
  rows?: number;
}

/** What the companions state. */
export interface Companions {
  layout: ExportLayout;
  format: TableFormat | undefined;
  seed: number;
  origin: ExportOrigin;
  written: readonly WrittenFile[];
  lost: readonly string[];
  counts: { patients: number; visits: number; ages: number; gaps: number };
}

const list = (items: readonly string[]): string => items.map((item) => `- ${item}`).join('\n');

/** Paths of the machine where a stage ran say nothing to those who get the data set, and may name its user. */
const withoutPaths = (_key: string, value: unknown): unknown =>
  typeof value === 'string' && /^([/~\\]|\.\.?[/\\]|[A-Za-z]:[/\\])/.test(value) ? 'a path, left out' : value;

const stepOf = ({
  title,
  stage,
  version,
  kind,
  digest,
  params,
  inputs,
  fingerprint,
  code,
  engine,
}: LineageStep) => ({
  ...{ title, stage, version, kind, digest, inputs, fingerprint, code, engine },
  params: JSON.parse(JSON.stringify(params ?? null, withoutPaths)),
});

const originRows = ({ origin, seed }: Companions): string[] => [
  `Generator: ${origin.generator}`,
  ...(origin.run === undefined ? [] : [`Run: ${origin.run}`]),
  ...(origin.cohort === undefined ? [] : [`Cohort: ${origin.cohort}`]),
  ...(origin.report === undefined ? [] : [`Report: ${origin.report}`]),
  `Seed of what is invented: ${seed}`,
  'Every step from the source to this cohort, with its parameters, is in `lineage.json`.',
];

const invented = ({ layout, counts }: Companions): string[] => [
  ...Object.values(inventedRules),
  ...(counts.ages > 0
    ? [`The model sampled no age for ${counts.ages} of the ${counts.patients} patients.`]
    : []),
  ...(counts.gaps > 0
    ? [`The days before ${counts.gaps} of the ${counts.visits} admissions were not sampled.`]
    : []),
  ...layout.invents,
];

const readme = (about: Companions): string => {
  const { layout, format, origin, written, lost, counts } = about;
  const tables = written.map(({ path, rows }) => `\`${path}\`${rows === undefined ? '' : `, ${rows} rows`}`);
  return `# Synthetic patients: ${layout.title}

**${markText}**

${counts.patients} patients with ${counts.visits} visits, in the layout \`${layout.name}\`, for ${layout.reader}.

## Read it

\`\`\`python
${layout.example(format).join('\n')}
\`\`\`

## Verdict

${origin.verdict ?? 'Not known: this cohort was exported without the report of its run.'}

## Files

${list(tables)}

What each column holds is in \`data-dictionary.csv\`. In CSV a text cell that would begin with \`=\`, \`+\`, \`-\`, \`@\`, a tab or
a line break has a \`'\` before it, so that no spreadsheet runs it as a formula; take one \`'\` away to get the text back.

## What is invented

The model samples which codes occur together in which visits, and what \`lineage.json\` lists; it does not sample the following:

${list(invented(about))}

## What this layout cannot hold

${layout.loses.length === 0 ? 'Nothing of a cohort is lost.' : list(layout.loses)}
${lost.length === 0 ? '' : `\nOf this cohort: ${lost.join('; ')}.\n`}
## Where it comes from

${list(originRows(about))}

## Terms

Derived from ${origin.source ?? 'the data that the model was trained on'}: the terms of that data may bind what is derived from it.
Read them before you pass this data set on.
`;
};

const csvCell = (text: string): string => `"${text.replaceAll('"', '""')}"`;

const dataDictionary = ({ written }: Companions): string => {
  const rows = written.flatMap(({ path, columns }) =>
    columns.map(({ name, type, meaning }) => [path, name, type, meaning].map(csvCell).join(',')),
  );
  return `file,column,type,meaning\n${rows.map((row) => `${row}\n`).join('')}`;
};

const lineage = ({ layout, format, seed, origin, written, counts, lost }: Companions): string =>
  `${JSON.stringify(
    {
      synthetic: true,
      note: markText,
      layout: layout.name,
      format,
      generator: origin.generator,
      run: origin.run,
      cohort: origin.cohort,
      report: origin.report,
      verdict: origin.verdict,
      source: origin.source,
      seed,
      patients: counts.patients,
      visits: counts.visits,
      files: written.map(({ path, rows }) => ({ path, rows })),
      lost,
      steps: origin.lineage.map(stepOf),
    },
    null,
    2,
  )}\n`;

/** The files beside the tables, by name. */
export const companionFiles = (about: Companions): Record<string, string> => ({
  'README.md': readme(about),
  'data-dictionary.csv': dataDictionary(about),
  'lineage.json': lineage(about),
  'SYNTHETIC.txt': `${markText}\n`,
});
