/**
 * Text in CSV that no spreadsheet runs as a formula. A `'` is put before what begins as a formula, also behind
 * other `'`, so that taking one `'` away gives the text back. Source: OWASP, CSV Injection.
 */
const formula = String.raw`''*[=+\-@\t\r\n]`;

/** A number runs nothing, and `-7` should stay one. */
const plainNumber = String.raw`[+\-]?[0-9]*\.?[0-9]+([eE][+\-]?[0-9]+)?`;

/** SQL of a text that is safe to write into a cell. */
export const safeCell = (text: string): string =>
  `CASE WHEN regexp_matches(${text}, '^${formula}') AND NOT regexp_full_match(${text}, '${plainNumber}')
    THEN '''' || ${text} ELSE ${text} END`;

/** SQL of the text that a safe cell was written from. */
export const fromSafeCell = (cell: string): string =>
  `CASE WHEN regexp_matches(${cell}, '^''${formula}') THEN ${cell}[2:] ELSE ${cell} END`;
