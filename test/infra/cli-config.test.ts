import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadConfig } from '../../infra/cli/load-config.ts';
import { createFileStore } from '../../infra/store/fs.ts';
import { StageError } from '../../schemas/errors.ts';
import { commitSome } from '../helpers/store-contract.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const folder = await mkdtemp(join(tmpdir(), 'understudy-config-'));
let count = 0;
const write = async (text: string, extension = 'yaml'): Promise<string> => {
  const file = join(folder, `${++count}.${extension}`);
  await writeFile(file, text);
  return file;
};

test('a config of one line is filled with defaults, its source told from where it lies', async (t) => {
  const config = await loadConfig(await write('source: ../mimic\n'));
  t.is(config.source, join(folder, '..', 'mimic'));
  t.is(config.name, 'nightly');
  t.deepEqual(
    config.generators.map(({ name }) => name),
    ['marginal', 'halo'],
  );
  t.is(config.report.suppressBelow, 11);
  t.is(config.cohort.split.holdout, 0.2);
});

test('an absolute source stays, and JSON does as well as YAML', async (t) => {
  const text = JSON.stringify({ source: '/data/mimic', generators: ['halo', { name: 'marginal' }] });
  const config = await loadConfig(await write(text, 'json'));
  t.is(config.source, '/data/mimic');
  t.deepEqual(config.generators, [
    { name: 'halo', config: {}, sampling: {} },
    { name: 'marginal', config: {}, sampling: {} },
  ]);
});

test('a model to start from is told from where the file lies', async (t) => {
  const text =
    'source: x\ngenerators:\n  - name: halo\n    from: ../models/halo\n  - name: promptehr\n    from: /m\n';
  const { generators } = await loadConfig(await write(text));
  t.deepEqual(
    generators.map(({ from }) => from),
    [join(folder, '..', 'models', 'halo'), '/m'],
  );
});

/** A store with models, and a config that starts from one of them. */
const withModels = async (t: ExecutionContext) => {
  const place = join(await tempFolder(t), 'store');
  const store = createFileStore(place);
  const [first, second] = [await commitSome(store, 'one'), await commitSome(store, 'two')];
  const from = async (text: string) => {
    const file = await write(JSON.stringify({ source: 'x', generators: [{ name: 'halo', from: text }] }));
    return (await loadConfig(file, place)).generators[0]?.from;
  };
  return { place, first: first.digest, second: second.digest, from };
};

test('a model of the store stays a digest: workers may have the store at another path', async (t) => {
  const { first, second, from } = await withModels(t);
  t.is(await from(`model:${first}`), `model:${first}`);
  t.is(await from(second), `model:${second}`);
  t.is(await from(`model:${second.slice(0, 8)}`), `model:${second}`);
  t.is(await from('./model:x'), join(folder, 'model:x'));
});

test('a digest that fits no model says what was looked for and where; one that fits two asks for more', async (t) => {
  const { place, from } = await withModels(t);
  const missing = (text: string, digits: string) =>
    t.throwsAsync(from(text), {
      name: 'ArtifactMissing',
      message: new RegExp(`^no model ${digits} in the store ${place}; UNDERSTUDY_STORE says`),
    });
  await missing(`model:${'0'.repeat(64)}`, '0{64}');
  await missing('model:012345', '012345…');
  await t.throwsAsync(from('model:latest'), {
    name: 'InvalidConfig',
    message: /expected model: and a digest/,
  });
  await t.throwsAsync(from('model:abc'), { name: 'InvalidConfig', message: /at least the first 6/ });
  const twins = ['a', 'b'].map((end) => `abcdef${end.repeat(58)}`);
  for (const twin of twins) await mkdir(join(place, 'artifacts', 'model', twin));
  await t.throwsAsync(from('model:abcdef'), {
    name: 'InvalidConfig',
    message:
      /begins the digests of 2 models in the store .* \(abcdefaaaaaa, abcdefbbbbbb\): give more digits/,
  });
  t.is(await from('model:abcdefa'), `model:${twins[0]}`);
});

test('where this machine has no store, a whole digest is left to the workers', async (t) => {
  const digest = 'c'.repeat(64);
  const none = join(await tempFolder(t), 'none');
  const file = await write(JSON.stringify({ source: 'x', generators: [{ name: 'halo', from: digest }] }));
  t.is((await loadConfig(file, none)).generators[0]?.from, `model:${digest}`);
  const short = await write(
    JSON.stringify({ source: 'x', generators: [{ name: 'halo', from: 'model:cccccc' }] }),
  );
  await t.throwsAsync(loadConfig(short, none), { name: 'ArtifactMissing' });
});

/** What is written, and what must be said of it (after `FILE is not a valid run config:`). */
const bad: Record<string, [text: string, ...problems: string[]]> = {
  'an empty file': ['', 'it is empty; `source` at least must be given'],
  'a file of comments': ['# later\n', 'it is empty; `source` at least must be given'],
  'a list': ['- source: x\n', 'at the top (line 1): expected a mapping, found a list'],
  'no source': ['name: tonight\n', 'source (line 1): expected text, found nothing'],
  'an empty source': ['source: ""\n', 'source (line 1): expected text of ≥ 1 characters, found ""'],
  'an address as source': [
    'source: s3://bucket/mimic\n',
    'source (line 1): expected a path of this machine, found the address "s3://bucket/mimic": s3:// is not supported; ' +
      'mount it and give the path, or copy it here',
  ],
  'an address of a model': [
    'source: x\ngenerators:\n  - {name: halo, from: "s3://b/m"}\n',
    'generators[0].from (line 3): expected a path of this machine, found the address "s3://b/m": s3:// is not supported; ' +
      'mount it and give the path, or copy it here',
  ],
  'a source that is a number': ['source: 7\n', 'source (line 1): expected text, found 7'],
  'a misspelled key': [
    'source: x\n\nsede: 3\n',
    'at the top (line 3): no key sede here; did you mean seed? ' +
      '(keys: name, source, layout, rejectLimit, seed, cohort, tokens, generators, checkpointEvery, generate, similarity, utility, privacy, report, export)',
  ],
  'a misspelled key deep down': [
    'source: x\ncohort:\n  split:\n    holdot: 0.3\n',
    'cohort.split (line 4): no key holdot here; did you mean holdout? (keys: validation, holdout)',
  ],
  'an unknown layout': [
    'source: x\nlayout: mimic-iv\n',
    'layout (line 2): expected mimic-iii, found "mimic-iv"; did you mean mimic-iii?',
  ],
  'an unknown choice in a list': [
    'source: x\ntokens:\n  modalities:\n    - dx\n    - icu\n',
    'tokens.modalities[1] (line 5): expected one of dx, px, rx, lab, found "icu"',
  ],
  'an empty list': [
    'source: x\ntokens: {modalities: []}\n',
    'tokens.modalities (line 2): expected a list of ≥ 1 items, found an empty list',
  ],
  'no generator': [
    'source: x\ngenerators: []\n',
    'generators (line 2): expected a list of ≥ 1 items, found an empty list',
  ],
  'a generator that is neither name nor mapping': [
    'source: x\ngenerators:\n  - marginal\n  - 3\n',
    'generators[1] (line 4): expected text or a mapping, found 3',
  ],
  'settings of a generator in the wrong place': [
    'source: x\ngenerators:\n  - name: halo\n    epochs: 3\n',
    'generators[0] (line 4): no key epochs here (keys: name, as, from, config, sampling, drawing, trainingSizes)',
  ],
  'a negative seed': ['source: x\nseed: -1\n', 'seed (line 2): expected a number ≥ 0, found -1'],
  'a seed with a fraction': ['source: x\nseed: 0.5\n', 'seed (line 2): expected an integer, found 0.5'],
  'a share above one': [
    'source: x\ncohort:\n  split: {holdout: 20}\n',
    'cohort.split.holdout (line 3): expected a number ≤ 1, found 20',
    'cohort.split (line 3): validation and holdout leave nothing to train on',
  ],
  'a split that leaves nothing': [
    'source: x\ncohort:\n  split: {holdout: 0.5, validation: 0.5}\n',
    'cohort.split (line 3): validation and holdout leave nothing to train on',
  ],
  'two problems at once': [
    'source: x\ncheckpointEvery: often\nreport: 3\n',
    'checkpointEvery (line 2): expected a number, found "often"',
    'report (line 3): expected a mapping, found 3',
  ],
  'a key twice': ['source: x\nseed: 1\nseed: 2\n', 'line 3, column 1: Map keys must be unique'],
  'a tab as indent': [
    'source: x\ncohort:\n\tminAge: 3\n',
    'line 3, column 1: Tabs are not allowed as indentation',
  ],
  'a quote that is not closed': ['source: "x\n', 'line 2, column 1: Missing closing "quote'],
  'broken JSON': ['{"source": "x",\n "seed": 1\n', 'line 3, column 1: Flow map must end with a }'],
  'two documents': [
    'source: x\n---\nsource: y\n',
    'line 2, column 1: Source contains multiple documents; please use YAML.parseAllDocuments()',
  ],
};

for (const [what, [text, ...problems]] of Object.entries(bad))
  test(`a config with ${what} is turned away`, async (t) => {
    const file = await write(text);
    const error = await t.throwsAsync(loadConfig(file), { instanceOf: StageError, name: 'InvalidConfig' });
    t.is(error?.message, `${file} is not a valid run config:\n  ${problems.join('\n  ')}`);
  });

test('a config that is not there, or is a folder, is named with its whole path', async (t) => {
  for (const [path, reason] of [
    [join(folder, 'none.yaml'), 'there is no such file'],
    [folder, 'it is a folder'],
  ] as const) {
    const error = await t.throwsAsync(loadConfig(path), { instanceOf: StageError, name: 'InvalidUsage' });
    t.true(
      error?.message.startsWith(`cannot read the run config ${path}: ${reason}; name one with --config`),
    );
  }
});
