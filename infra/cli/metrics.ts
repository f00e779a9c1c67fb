import { z } from 'zod';
import { named } from '../../pipelines/kernel/names.ts';
import { defineCommand } from './command.ts';
import { metricEntry, metricText } from './entries.ts';
import { columns } from './table.ts';

export const metricsCommand = defineCommand({
  name: 'metrics',
  summary: 'list the metrics, or describe one',
  positionals: z.object({ name: z.string().optional().describe('a metric') }),
  options: z.object({}),
  async run({ name }, io) {
    const { metrics } = await import('../../pipelines/metrics/registry.ts');
    if (name !== undefined) {
      const metric = named('metric', metrics, name);
      io.out(metricText(metric));
      return metricEntry(metric);
    }
    const all = [...metrics.values()];
    io.out(columns(all.map((metric) => [metric.name, metric.family, metric.title])));
    return { metrics: all.map(metricEntry) };
  },
});
