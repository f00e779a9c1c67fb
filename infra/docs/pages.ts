import { capabilities, capabilitiesOf } from '../../pipelines/generation/generator.ts';
import { generators } from '../../pipelines/generators/registry.ts';
import { metrics } from '../../pipelines/metrics/registry.ts';
import { artifactKinds } from '../../schemas/artifact.ts';
import { failures } from '../../schemas/errors.ts';
import { runConfig } from '../../schemas/run-config.ts';
import type { Stage } from '../../schemas/stage.ts';
import { stages } from '../../schemas/stages/index.ts';
import { type Command, withAllOptions } from '../cli/command.ts';
import { commands } from '../cli/commands.ts';
import { fieldsOf } from '../cli/describe-schema.ts';
import { metricEntry, modelEntry, stageEntry } from '../cli/entries.ts';
import { usageLine } from '../cli/help.ts';
import { defaultConfigFile } from '../cli/load-config.ts';
import { flagName, globalOptions } from '../cli/parse.ts';
import { variables } from '../env.ts';
import { dagPage } from './dag-page.ts';
import { exportPage } from './export-page.ts';
import { code, fieldTable, markdownTable, page } from './markdown.ts';

const stagesPage = (): string => {
  const sections = Object.values<Stage>(stages).map((stage) => {
    const { name, title, version, inputs, output, policy, params } = stageEntry(stage);
    const slots = Object.entries(inputs).map(([slot, kind]) => `${code(slot)} (${kind})`);
    return [
      `## ${name}\n\n${title}. Version ${version}.`,
      `Reads ${slots.join(', ') || 'nothing from the store'}; makes ${code(output)}.`,
      `Queue ${code(policy.queue)}. At most ${policy.attempts} attempts of at most ${policy.startToClose} each; an attempt ` +
        `without a heartbeat for ${policy.heartbeat} counts as dead.`,
      fieldTable(params),
    ].join('\n\n');
  });
  const kinds = Object.entries(artifactKinds).map(([kind, about]) => [code(kind), about]);
  return page(
    'Stages',
    'A stage reads artifacts and makes one new artifact. `understudy stages NAME` prints the same. A run config sets the ' +
      'parameters, see [config.md](config.md).',
    ...sections,
    '## Artifacts',
    markdownTable(['kind', 'what it holds'], kinds),
  );
};

const ableTo = (capability: string): string =>
  [...generators.values()]
    .filter((generator) => capabilitiesOf(generator).some((own) => own === capability))
    .map(({ name }) => name)
    .join(', ') || 'none';

const modelsPage = (): string => {
  const sections = [...generators.values()].map((generator) => {
    const { name, title, paper, version, capabilities: own, config, sampling } = modelEntry(generator);
    return [
      `## ${name}`,
      `${title}. Version ${version}. ${paper}`,
      `Capabilities: ${own.map(code).join(', ')}.`,
      fieldTable(config),
      ...(sampling.length > 0 ? ['Sampling:', fieldTable(sampling)] : []),
    ].join('\n\n');
  });
  return page(
    'Generators',
    'A run config lists generators under `generators`, by name or with settings: `config` for the network and its ' +
      'training, `sampling` for how patients are sampled (a change of it does not train again). More about each: ' +
      '[halo.md](halo.md), [lstm.md](lstm.md), [promptehr.md](promptehr.md). To add one: [architecture.md](architecture.md#where-new-things-go).',
    'What a generator can do beside learning and sampling is known before any training; a run that asks it for ' +
      'something else is refused when it is planned.',
    markdownTable(
      ['capability', 'meaning', 'generators'],
      Object.entries(capabilities).map(([capability, about]) => [
        code(capability),
        about,
        ableTo(capability),
      ]),
    ),
    ...sections,
  );
};

const metricsPage = (): string => {
  const rows = [...metrics.values()].map((metric) => {
    const { name, family, about, better, range, title, needs } = metricEntry(metric);
    const ends = `${range[0] ?? '−∞'} … ${range[1] ?? '∞'}`;
    return [code(name), family, title, about, better, ends, needs.join(', ')];
  });
  const options = [...metrics.values()].map(metricEntry).filter((metric) => metric.options.length > 0);
  return page(
    'Metrics',
    'Every row of a scorecard has a value, an interval where one can be computed, the number of patients, pairs or codes ' +
      'behind it, and the same value for real holdout patients. Definitions at length: ' +
      '[similarity](similarity-metrics.md), [perplexity](perplexity.md), [utility](utility-metrics.md), ' +
      '[privacy](privacy-metrics.md).',
    markdownTable(['name', 'family', 'title', 'meaning', 'better', 'range', 'needs'], rows),
    '## Options',
    'A run config sets them under `<family>.options.<metric>`. Where something that a metric needs is missing, its rows have ' +
      'a sentence instead of a number.',
    ...options.map((metric) => `### ${metric.name}\n\n${fieldTable(metric.options)}`),
  );
};

const errorsPage = (): string => {
  const rows = Object.entries(failures).map(([name, { retryable, exit, hint }]) => [
    code(name),
    retryable ? 'yes' : 'no',
    String(exit),
    hint,
  ]);
  return page(
    'Errors',
    'The failures that Understudy knows. A failure that is retried is tried again until the attempts of its stage are used ' +
      'up; the others end their node at once. The command line exits with the status in the table, which follows ' +
      'sysexits(3).',
    markdownTable(['code', 'retried', 'exit', 'what helps'], rows),
    'Two more exit statuses of the command line: 130 after Ctrl-C (a run on the server continues; a run with `--local` ' +
      'continues from its checkpoints when the same command is run again), and 70 with the code `Unexpected` for an ' +
      'error that is not in the table, which is a bug. Inside a stage such an error is retried.',
  );
};

const complete = await Promise.all(commands.map(withAllOptions));

const commandSection = (command: Command): string =>
  [
    `## ${command.name}`,
    `${code(usageLine(command))}: ${command.summary}.`,
    ...(Object.keys(command.positionals.shape).length > 0
      ? [fieldTable(fieldsOf(command.positionals), (path) => code(path.toUpperCase()))]
      : []),
    ...(Object.keys(command.options.shape).length > 0
      ? [fieldTable(fieldsOf(command.options), (path) => code(`--${flagName(path)}`))]
      : []),
  ].join('\n\n');

const cliPage = (): string =>
  page(
    'Command line',
    '`npx understudy COMMAND`. Every command has these options:',
    fieldTable(fieldsOf(globalOptions), (path) => code(`--${flagName(path)}`)),
    'Results go to stdout, messages to stderr. With `--json` stdout has exactly one JSON document, also when the command ' +
      'fails: then it has `error: {code, message, hint}` beside the result so far (for `run --wait`, the state of ' +
      'the run). Exit statuses are in [errors.md](errors.md).',
    ...complete.map(commandSection),
    '## Environment',
    'All are optional. An empty value counts as unset; a bad value is refused by name (exit 64).',
    fieldTable(fieldsOf(variables)),
  );

const configPage = (): string =>
  page(
    'Run config',
    `The file that \`understudy run\` and \`understudy plan\` read: YAML or JSON, by default \`${defaultConfigFile}\` in ` +
      'the current folder. Only `source` is required:',
    '```yaml\nsource: test/fixtures/mimic3-demo\ngenerators:\n  - marginal\n  - name: halo\n    config: {}\n```',
    'A relative `source` starts at the folder of the file. An unknown key is an error; messages name the key, the line, ' +
      'what was expected and what was found.',
    fieldTable(fieldsOf(runConfig)),
    'Settings of a generator (`generators[].config` and `.sampling`) are checked by its own schemas, see ' +
      '[models.md](models.md); `drawing` is the old name of `sampling`.',
    '`generators[].as` gives a branch of the run a name of its own, for node ids, scorecards and report: one generator may ' +
      'stand in a run several times, with other settings. The name of the generator stays in the model. Two branches that ' +
      'differ in name alone share their model and their cohort. A name has at most 40 letters, digits, `.`, `_` and `-`.',
    '`generators[].trainingSizes` trains one generator on several shares or numbers of the ' +
      'training patients: [training-size.md](training-size.md).',
  );

/** Every generated page by its file name in docs/. */
export const pages = (): Record<string, string> => ({
  'stages.md': stagesPage(),
  'models.md': modelsPage(),
  'metrics.md': metricsPage(),
  'errors.md': errorsPage(),
  'dag.md': dagPage(),
  'cli.md': cliPage(),
  'export.md': exportPage(),
  'config.md': configPage(),
});
