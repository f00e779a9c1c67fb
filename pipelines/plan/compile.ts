import { z } from 'zod';
import { nonRetryableCodes, StageError } from '../../schemas/errors.ts';
import type { MetricParams } from '../../schemas/metric-params.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { RunConfig } from '../../schemas/run-config.ts';
import type { MetricRow } from '../../schemas/scorecard.ts';
import { cohortName } from '../../schemas/stages/train.ts';
import { formatOf } from '../exchange/write/layout.ts';
import { exportLayoutNamed } from '../exchange/write/registry.ts';
import { checkAsked } from '../generation/sample-requests.ts';
import { generatorNamed, generators } from '../generators/registry.ts';
import { named, noSuchName } from '../kernel/names.ts';
import { parseConfig } from '../kernel/parse-config.ts';
import type { Metric } from '../metrics/metric.ts';
import { metricsOf } from '../metrics/registry.ts';
import { metricOptions } from '../metrics/score-metric.ts';
import { type Dag, DagBuilder } from './dag.ts';

const invalid = (key: string, what: string): StageError => new StageError('InvalidConfig', `${key}: ${what}`);

type Chosen = RunConfig['generators'][number];

/** Settings as a schema fills them. Throws InvalidConfig with one line per problem, each naming its key. */
const fillSettings = (schema: z.ZodType, given: Chosen['config'], key: string): Chosen['config'] =>
  z.record(z.string(), z.json()).parse(parseConfig(schema, given, key));

/** Names of generators whose training can start from a model. */
const startable = (): string[] => [...generators].flatMap(([name, { fitFrom }]) => (fitFrom ? [name] : []));

const branchNameOf = ({ name, as = name }: Chosen): string => as;

/** Throws InvalidConfig unless no entry before it has the name of its branch. */
const checkBranchName = (entry: Chosen, index: number, all: readonly Chosen[]): void => {
  const branch = branchNameOf(entry);
  const names = all.map(branchNameOf);
  const first = names.indexOf(branch);
  if (first === index) return;
  let suffix = 2;
  while (names.includes(`${branch}-${suffix}`)) suffix++;
  throw invalid(
    `generators[${index}]`,
    `generators[${first}] is called ${branch} already; give this entry a name of its own, such as \`as: ${branch}-${suffix}\``,
  );
};

/** An entry with every default filled in. Throws InvalidConfig naming the key. */
const fillGenerator = (
  entry: Chosen,
  index: number,
  all: readonly Chosen[],
): Chosen & Required<Pick<Chosen, 'as'>> => {
  const { name, from, config, sampling, trainingSizes: sizes } = entry;
  const key = `generators[${index}]`;
  const generator = generatorNamed(name, key);
  checkBranchName(entry, index, all);
  if (!generator.sampling && Object.keys(sampling).length > 0)
    throw invalid(`${key}.sampling`, `${name} has no settings of sampling; leave them out`);
  if (from !== undefined && !generator.fitFrom)
    throw invalid(`${key}.from`, `${name} cannot start from a model; these can: ${startable().join(', ')}`);
  const twice = sizes?.find((size, i) => sizes.indexOf(size) !== i);
  if (twice !== undefined) throw invalid(`${key}.trainingSizes`, `${twice} is listed twice`);
  return {
    name,
    as: branchNameOf(entry),
    from,
    trainingSizes: sizes,
    config: fillSettings(generator.config, config, `${key}.config`),
    sampling: generator.sampling ? fillSettings(generator.sampling, sampling, `${key}.sampling`) : {},
  };
};

/** Throws InvalidConfig where the run asks all generators for what one of them cannot do. */
const checkGenerate = ({ generate, generators: chosen }: RunConfig): void => {
  for (const { name } of chosen) checkAsked(generatorNamed(name), generate);
};

/** Throws InvalidConfig where a data set is of no layout, format or branch that there is, or asked for twice. */
const checkExport = (asked: RunConfig['export'] = [], branches: readonly string[]): void => {
  const seen = new Set<string>();
  for (const [index, { as, format, generators: chosen = branches }] of asked.entries()) {
    const key = `export[${index}]`;
    const layout = exportLayoutNamed(as, `${key}.as`);
    try {
      formatOf(layout, format);
    } catch (error) {
      throw error instanceof StageError ? invalid(`${key}.format`, error.message) : error;
    }
    for (const [at, branch] of chosen.entries()) {
      if (!branches.includes(branch))
        throw invalid(`${key}.generators[${at}]`, noSuchName('branch', branch, branches));
      const name = [branch, as, format].join(':');
      if (seen.has(name)) throw invalid(key, `the data set ${as} of ${branch} is asked for twice`);
      seen.add(name);
    }
  }
};

/** A family's choice with the settings of its metrics filled in. Throws InvalidConfig naming the key. */
export const fillMetrics = <Chosen extends Pick<MetricParams, 'metrics' | 'options'>>(
  family: MetricRow['family'],
  chosen: Chosen,
): Chosen => {
  const known = metricsOf(family);
  const find = (name: string, key: string): Metric =>
    named(`${family} metric`, known, name, { code: 'InvalidConfig', where: `${family}.${key}` });
  for (const [index, name] of (chosen.metrics ?? []).entries()) find(name, `metrics[${index}]`);
  const filled = Object.entries(chosen.options).map(([name, given]) => [
    name,
    z.json().parse(metricOptions(find(name, `options.${name}`), given)),
  ]);
  return { ...chosen, options: Object.fromEntries(filled) };
};

/**
 * A run config as a plan: every default filled in, names and settings of generators and metrics checked
 * against the registry. Throws InvalidConfig whose message names the key.
 */
export const compile = (dag: Dag, run: RunConfig): Plan => {
  const builder = new DagBuilder();
  const chosen = run.generators.map(fillGenerator);
  checkGenerate(run);
  checkExport(
    run.export,
    chosen.flatMap(({ as, trainingSizes = [1] }) => trainingSizes.map((size) => cohortName(as, size))),
  );
  dag.build(builder, {
    ...run,
    generators: chosen,
    similarity: fillMetrics('similarity', run.similarity),
    utility: fillMetrics('utility', run.utility),
    privacy: fillMetrics('privacy', run.privacy),
  });
  return { name: run.name, nodes: builder.nodes, nonRetryable: [...nonRetryableCodes] };
};
