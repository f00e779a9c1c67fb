import { generators } from '../../pipelines/generators/registry.ts';
import { metrics } from '../../pipelines/metrics/registry.ts';
import { artifactKinds } from '../../schemas/artifact.ts';
import { failures } from '../../schemas/errors.ts';
import { runConfig } from '../../schemas/run-config.ts';
import type { Stage } from '../../schemas/stage.ts';
import { stages } from '../../schemas/stages/index.ts';
import type { Command } from '../cli/command.ts';
import { commands } from '../cli/commands.ts';
import { fieldsOf } from '../cli/describe-schema.ts';
import { metricEntry, modelEntry, stageEntry } from '../cli/entries.ts';
import { usageLine } from '../cli/help.ts';
import { defaultConfigFile } from '../cli/load-config.ts';
import { flagName, globalOptions } from '../cli/parse.ts';
import { variables } from '../env.ts';
import { dagPage } from './dag-page.ts';
import { code, fieldTable, markdownTable, page } from './markdown.ts';

const stagesPage = (): string => {
  const sections = Object.values<Stage>(stages).map((stage) => {
    const { name, title, version, inputs, output, policy, params } = stageEntry(stage);
    const slots = Object.entries(inputs).map(([slot, kind]) => `${code(slot)} (${kind})`);
    return [
      `## ${name}\n\n${title}. Version ${version}.`,
      `Takes ${slots.join(', ') || 'nothing from the store'}; makes ${code(output)}.`,
      `Queue ${code(policy.queue)}; an attempt may take ${policy.startToClose} and be silent for ` +
        `${policy.heartbeat}; ${policy.attempts} attempts.`,
      fieldTable(params),
    ].join('\n\n');
  });
  const kinds = Object.entries(artifactKinds).map(([kind, about]) => [code(kind), about]);
  return page(
    'Stages',
    'A stage makes one artifact of those it takes. `understudy stages NAME` tells the same.',
    ...sections,
    '## Artifacts',
    markdownTable(['kind', 'what it holds'], kinds),
  );
};

const modelsPage = (): string => {
  const sections = [...generators.values()].map((generator) => {
    const { name, title, paper, version, config, drawing } = modelEntry(generator);
    const drawn = drawing.length > 0 ? `\n\nDrawing:\n\n${fieldTable(drawing)}` : '';
    return `## ${name}\n\n${title}. Version ${version}. ${paper}\n\n${fieldTable(config)}${drawn}`;
  });
  return page(
    'Generators',
    'One file each in `pipelines/generators`. A run config names them under `generators`, each with its `config` and, ' +
      'where one is told here, how it is to draw: `drawing`.',
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
    'One file each in `pipelines/metrics`. Every row of a scorecard also says over how many patients, pairs or codes.',
    markdownTable(['name', 'family', 'title', 'meaning', 'better', 'range', 'needs'], rows),
    '## Options',
    'A run config gives them under `<family>.options.<metric>`. A metric whose needs are not met says so in its rows.',
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
    'Every failure of a known kind. A retryable one is tried again until the attempts of its stage are used up; ' +
      'the others end their node at once. The command line exits with the status here, which follows sysexits(3).',
    markdownTable(['code', 'retried', 'exit', 'what helps'], rows),
    'Two more exit statuses of the command line: 130 after Ctrl-C (what runs on the server goes on), and 70 with the ' +
      'code `Unexpected` for an error that nobody has classified, which is a bug. An unclassified error inside a ' +
      'stage is retried.',
  );
};

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
    '`npx understudy COMMAND`. Every command takes these:',
    fieldTable(fieldsOf(globalOptions), (path) => code(`--${flagName(path)}`)),
    'Results go to stdout, words for people to stderr. With `--json` stdout carries exactly one JSON document, also ' +
      'when the command fails: then it has `error: {code, message, hint}`, beside what the command had to show ' +
      '(`run --wait` still tells the run). Exit statuses are in [errors.md](errors.md).',
    ...commands.map(commandSection),
    '## Environment',
    fieldTable(fieldsOf(variables)),
  );

const configPage = (): string =>
  page(
    'Run config',
    `What \`understudy run\` and \`understudy plan\` read: YAML or JSON, by default \`${defaultConfigFile}\` in the ` +
      'current folder. A relative `source` counts from the folder of the file. Keys that are not here are errors; ' +
      'messages name the key, the line, what was expected and what was found.',
    fieldTable(fieldsOf(runConfig)),
    'Stages take their parameters from here; settings of a generator (`generators[].config` and ' +
      '`.drawing`) are checked by its own schemas, see [models.md](models.md).',
    '```yaml\nsource: test/fixtures/mimic3-demo\ngenerators:\n  - marginal\n  - name: halo\n    config: {}\n```',
    '`generators[].trainingSizes` trains one generator on several shares or numbers of the training patients, and the ' +
      'report draws its numbers over them: `infra/examples/training-size.yaml`.',
  );

/** Every generated page by its file name in docs/. */
export const pages = (): Record<string, string> => ({
  'stages.md': stagesPage(),
  'models.md': modelsPage(),
  'metrics.md': metricsPage(),
  'errors.md': errorsPage(),
  'dag.md': dagPage(),
  'cli.md': cliPage(),
  'config.md': configPage(),
});
