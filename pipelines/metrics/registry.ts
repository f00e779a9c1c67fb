import { existsSync } from 'node:fs';
import { families } from '../../schemas/scorecard.ts';
import { loadFolder } from '../kernel/load-folder.ts';
import type { Metric } from './metric.ts';

type Family = Metric['family'];

const folder = new URL('./', import.meta.url);

const loadMetrics = async (): Promise<Map<string, Metric>> => {
  const found = new Map<string, Metric>();
  for (const family of families.filter((name) => existsSync(new URL(`${name}/`, folder))))
    for (const [name, metric] of await loadFolder<Metric>(new URL(`${family}/`, folder))) {
      if (metric.family !== family || found.has(name))
        throw new Error(`metric ${name}: its folder is its family, and no other metric may have its name`);
      found.set(name, metric);
    }
  return found;
};

/** Every metric, family by family: a file in pipelines/metrics/<family> is all it takes to add one. */
export const metrics = await loadMetrics();

/** The metrics of one family, by name. */
export const metricsOf = (family: Family): Map<string, Metric> =>
  new Map([...metrics].filter(([, metric]) => metric.family === family));

/** Where a metric's file is; its import closure decides whether a result from before still holds. */
export const metricFile = ({ family, name }: Pick<Metric, 'family' | 'name'>): string =>
  new URL(`${family}/${name}.ts`, folder).href;
