import { readFile } from 'node:fs/promises';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { parseConfig } from '../../pipelines/kernel/parse-config.ts';
import { StageError } from '../../schemas/errors.ts';
import { metricParams } from '../../schemas/metric-params.ts';
import { families } from '../../schemas/scorecard.ts';

const family = z.strictObject({ options: metricParams.shape.options });
const schema = z.strictObject(Object.fromEntries(families.map((name) => [name, family.prefault({})])));

const read = async (file: string): Promise<unknown> => {
  try {
    return parse(await readFile(file, 'utf8')) ?? {};
  } catch (cause) {
    if (cause instanceof YAMLParseError)
      throw new StageError('InvalidConfig', `${file}: ${cause.message.split('\n')[0]}`, { cause });
    throw new StageError('InvalidUsage', `cannot read ${file}; name a file of YAML or JSON`, { cause });
  }
};

/**
 * Settings by metric name out of a file that has them as `<family>.options.<metric>`, every default filled
 * in. Throws InvalidUsage where there is no such file, InvalidConfig naming the key.
 */
export const loadMetricOptions = async (file: string | undefined): Promise<Record<string, unknown>> => {
  if (file === undefined) return {};
  const { fillMetrics } = await import('../../pipelines/plan/compile.ts');
  const data = parseConfig(schema, await read(file), `${file}: metrics`);
  const filled = families.map((name) => fillMetrics(name, { options: data[name]?.options ?? {} }).options);
  return Object.assign({}, ...filled);
};
