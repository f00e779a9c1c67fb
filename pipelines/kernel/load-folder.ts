import { readdir } from 'node:fs/promises';

/**
 * The default exports of the TypeScript files directly in a folder, by name, in the order of their names. The
 * file's name must be the `name` of what it exports; throws Error where it is not. `except` lists files that
 * are no entry.
 */
export const loadFolder = async <T extends { name: string }>(
  folder: URL,
  except: readonly string[] = [],
): Promise<Map<string, T>> => {
  const found = new Map<string, T>();
  const files = (await readdir(folder)).filter((name) => name.endsWith('.ts') && !except.includes(name));
  for (const file of files.sort()) {
    const { default: entry } = (await import(new URL(file, folder).href)) as { default: T };
    if (`${entry.name}.ts` !== file)
      throw new Error(`${file} defines ${entry.name}: name and file must agree`);
    found.set(entry.name, entry);
  }
  return found;
};
