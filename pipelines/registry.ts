import { readdir } from 'node:fs/promises';
import type { Generator } from './generator.ts';
import type { Metric } from './metric.ts';

const load = async <T extends { name: string }>(folder: URL): Promise<Map<string, T>> => {
  const found = new Map<string, T>();
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.ts')).sort()) {
    const { default: entry } = (await import(new URL(file, folder).href)) as { default: T };
    if (`${entry.name}.ts` !== file)
      throw new Error(`${file} defines ${entry.name}: name and file must agree`);
    found.set(entry.name, entry);
  }
  return found;
};

/** Where a generator's file is; its import closure goes into the cache key of what it makes. */
export const generatorFile = (name: string): string => new URL(`./models/${name}.ts`, import.meta.url).href;

/** Every generator in pipelines/models. A file there is all it takes to add one. */
export const generators = await load<Generator>(new URL('./models/', import.meta.url));

/** Every metric in pipelines/metrics/similarity. */
export const similarityMetrics = await load<Metric>(new URL('./metrics/similarity/', import.meta.url));

/** Where a similarity metric's file is; its import closure goes into the cache key of scorecards. */
export const similarityMetricFile = (name: string): string =>
  new URL(`./metrics/similarity/${name}.ts`, import.meta.url).href;
