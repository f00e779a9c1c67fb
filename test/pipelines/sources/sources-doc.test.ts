import { readFile } from 'node:fs/promises';
import test from 'ava';
import { mimicIii } from '../../../pipelines/sources/mimic-iii.ts';
import { noteKinds, rejectReasons } from '../../../pipelines/sources/reasons.ts';
import { optionalEventTables } from '../../../schemas/events.ts';

test('docs/sources.md has the reasons, notes and tables of the code', async (t) => {
  const text = await readFile(new URL('../../../docs/sources.md', import.meta.url), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| '));
  const tableRows = (meanings: Record<string, string>) =>
    Object.entries(meanings).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
  const codes = [...tableRows(rejectReasons), ...tableRows(noteKinds)];
  t.deepEqual(
    rows.filter((row) => /^\| `[a-z-]+` \|/.test(row)),
    codes,
  );
  const tables = mimicIii.tables.map(({ source, target, needsRows }) => {
    const required = optionalEventTables.includes(target)
      ? 'no'
      : needsRows
        ? 'yes, with rows'
        : 'yes, may be empty';
    return `| ${source} | \`${target}\` | ${required} |`;
  });
  t.deepEqual(rows.filter((row) => /^\| [A-Z_]+ \|/.test(row)).sort(), tables.sort());
});
