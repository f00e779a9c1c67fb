/** Rows as indented columns, padded to the widest cell; the last column runs free. */
export const columns = (rows: readonly (readonly string[])[], indent = '  '): string => {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  return rows
    .map((row) => {
      const cells = row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)));
      return `${indent}${cells.join('  ')}`.trimEnd();
    })
    .join('\n');
};

/** Rows under a head and a rule, for people; `rows` may be empty. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const all = [head, ...rows];
  const rule = head.map((_, i) => '─'.repeat(Math.max(...all.map((row) => row[i]?.length ?? 0))));
  return columns([head, rule, ...rows]);
};
