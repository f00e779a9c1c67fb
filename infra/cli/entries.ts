import { capabilities, capabilitiesOf, type Generator } from '../../pipelines/generation/generator.ts';
import type { Metric } from '../../pipelines/metrics/metric.ts';
import type { Slot, Stage } from '../../schemas/stage.ts';
import { type Field, fieldsOf } from './describe-schema.ts';
import { columns } from './table.ts';

const slotText = (slot: Slot): string => (typeof slot === 'string' ? slot : `any number of ${slot[0]}`);

/** Settings of a schema as rows for a terminal. */
const fieldRows = (fields: readonly Field[]): string[][] =>
  fields.map(({ path, type, required, default: fallback, about }) => [
    path,
    type,
    required ? 'required' : (fallback ?? ''),
    about ?? '',
  ]);

const settings = (heading: string, fields: readonly Field[]): string =>
  fields.length === 0 ? `${heading}: none` : `${heading}:\n${columns(fieldRows(fields))}`;

/** What `understudy stages --json` and docs/stages.md contain about one stage. */
export const stageEntry = (stage: Stage) => ({
  name: stage.name,
  title: stage.title,
  version: stage.version,
  inputs: Object.fromEntries(Object.entries(stage.inputs).map(([slot, kind]) => [slot, slotText(kind)])),
  output: stage.output,
  policy: stage.policy,
  params: fieldsOf(stage.params),
});

/** One stage for a terminal. */
export const stageText = (stage: Stage): string => {
  const { inputs, output, policy, params } = stageEntry(stage);
  const slots = Object.entries(inputs).map(([slot, kind]) => `${slot} (${kind})`);
  return [
    `${stage.name}: ${stage.title} (version ${stage.version})`,
    columns([
      ['reads', slots.join(', ') || 'nothing from the store'],
      ['makes', output],
      ['queue', policy.queue],
      ['limits', `${policy.startToClose} per attempt, ${policy.heartbeat} without a heartbeat`],
      ['attempts', String(policy.attempts)],
    ]),
    settings('Parameters', params),
  ].join('\n');
};

/** What `understudy models --json` and docs/models.md contain about one generator. */
export const modelEntry = (generator: Generator) => {
  const { name, title, paper, version, config, sampling } = generator;
  return {
    name,
    title,
    paper,
    version,
    capabilities: capabilitiesOf(generator),
    config: fieldsOf(config),
    sampling: sampling ? fieldsOf(sampling) : [],
  };
};

/** One generator for a terminal. */
export const modelText = (generator: Generator): string => {
  const { name, title, paper, version, capabilities: own, config, sampling } = modelEntry(generator);
  return [
    `${name}: ${title} (version ${version})`,
    `  ${paper}`,
    `Capabilities:\n${columns(own.map((capability) => [capability, capabilities[capability]]))}`,
    settings('Config', config),
    settings('Sampling', sampling),
  ].join('\n');
};

/** What `understudy metrics --json` and docs/metrics.md contain about one metric. */
export const metricEntry = ({ name, family, title, about, better, range, needs, options }: Metric) => ({
  name,
  family,
  title,
  about,
  better,
  // JSON knows no infinity: an open end is null.
  range: range.map((end) => (Number.isFinite(end) ? end : null)),
  needs,
  options: options ? fieldsOf(options) : [],
});

/** One metric for a terminal. */
export const metricText = (metric: Metric): string => {
  const { name, title, family, about, better, needs, options } = metricEntry(metric);
  return [
    `${name}: ${title} (${family})`,
    `  ${about}`,
    columns([
      ['better', better],
      ['range', `${metric.range[0]} … ${metric.range[1]}`],
      ['needs', needs.join(', ')],
    ]),
    settings('Options', options),
  ].join('\n');
};
