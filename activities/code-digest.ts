import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const repository = new URL('../', import.meta.url).href;

/** Static imports and re-exports that run code; `import type` and `export type` do not. */
const staticImport = /^(?:import|export)\s+(?!type\b)(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
const dynamicImport = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;
/** Data that lies beside the code. */
const neighbor = /new URL\(\s*['"](\.[^'"]+)['"]\s*,\s*import\.meta\.url\s*\)/g;

const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, specifier]) => specifier ?? '');

const packageName = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

const readSource = async (url: string): Promise<string | undefined> => {
  const path = fileURLToPath(url);
  return (await stat(path)).isFile() ? readFile(path, 'utf8') : undefined;
};

/** What a source file reaches: our files by URL with their text, and npm packages by name. */
const closure = async (entries: string[]): Promise<{ files: Map<string, string>; packages: Set<string> }> => {
  const files = new Map<string, string>();
  const packages = new Set<string>();
  const pending = [...entries];
  for (let url = pending.pop(); url !== undefined; url = pending.pop()) {
    if (files.has(url)) continue;
    const text = await readSource(url);
    if (text === undefined) continue;
    files.set(url, text);
    if (!/\.[cm]?[jt]s$/.test(url)) continue;
    const from = url;
    for (const specifier of [...matches(text, staticImport), ...matches(text, dynamicImport)])
      if (specifier.startsWith('.')) pending.push(new URL(specifier, from).href);
      else if (!specifier.startsWith('node:')) packages.add(packageName(specifier));
    for (const path of matches(text, neighbor)) pending.push(new URL(path, from).href);
  }
  return { files, packages };
};

const pinnedVersions = async (packages: Set<string>, root: string): Promise<[string, string][]> => {
  const { dependencies } = JSON.parse(await readFile(new URL('package.json', root), 'utf8'));
  return [...packages].sort().map((name) => [name, String(dependencies[name] ?? 'unpinned')]);
};

/**
 * Digest of source files (by URL) and all they import, with the data files beside them that they name and the
 * versions that the package.json in `root` pins for the packages they use. The same wherever `root` is.
 */
export const digestSources = async (entries: string[], root: string): Promise<string> => {
  const { files, packages } = await closure(entries);
  const hash = createHash('sha256');
  for (const [url, text] of [...files].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(JSON.stringify([url.replace(root, ''), text]));
  hash.update(JSON.stringify(await pinnedVersions(packages, root)));
  return hash.digest('hex');
};

const digests = new Map<string, Promise<string>>();

/** The same for our own sources, read once per process: what runs is what was there when it started. */
export const codeDigest = (entries: string[]): Promise<string> => {
  const key = [...entries].sort().join('\n');
  const known = digests.get(key) ?? digestSources(entries, repository);
  digests.set(key, known);
  return known;
};
