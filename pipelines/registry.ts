import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { families } from '../schemas/scorecard.ts';
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

type Family = Metric['family'];

const metricsFolder = new URL('./metrics/', import.meta.url);

const loadMetrics = async (): Promise<Map<string, Metric>> => {
  const found = new Map<string, Metric>();
  for (const family of families.filter((name) => existsSync(new URL(`${name}/`, metricsFolder))))
    for (const [name, metric] of await load<Metric>(new URL(`${family}/`, metricsFolder))) {
      if (metric.family !== family || found.has(name))
        throw new Error(`metric ${name}: its folder is its family, and no other metric may have its name`);
      found.set(name, metric);
    }
  return found;
};

/** Every metric in pipelines/metrics, family by family. A file in a family's folder is all it takes to add one. */
export const metrics = await loadMetrics();

/** The metrics of one family, by name. */
export const metricsOf = (family: Family): Map<string, Metric> =>
  new Map([...metrics].filter(([, metric]) => metric.family === family));

/** Where a metric's file is; its import closure decides whether a result from before still holds. */
export const metricFile = ({ family, name }: Pick<Metric, 'family' | 'name'>): string =>
  new URL(`${family}/${name}.ts`, metricsFolder).href;
