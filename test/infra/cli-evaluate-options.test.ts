import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { evaluateCommand } from '../../infra/cli/evaluate.ts';
import { main } from '../../infra/cli/main.ts';
import { scorecard } from '../../schemas/scorecard.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const understudy = async (args: string[]) => {
  let err = '';
  const exit = await main(args, [evaluateCommand], {
    stdout: () => {},
    stderr: (text) => {
      err += text;
    },
    signal: new AbortController().signal,
  });
  return { exit, err };
};

test('settings of metrics come from a file, and the baseline is left out when not wanted', async (t) => {
  const folder = await tempFolder(t);
  const out = join(folder, 'out');
  const fixture = new URL('../fixtures/golden/split.json', import.meta.url);
  const split: Record<string, unknown> = JSON.parse(await readFile(fixture, 'utf8'));
  const flags: string[] = [];
  for (const side of ['train', 'test', 'synthetic']) {
    const path = join(folder, `${side}.json`);
    await writeFile(path, JSON.stringify(split[side]));
    flags.push(`--${side}`, path);
  }
  const options = join(folder, 'options.yaml');
  const judge = (...more: string[]) =>
    understudy(['evaluate', ...flags, '--metrics', 'copies', '--replicates', '0', '--out', out, ...more]);
  await writeFile(options, 'privacy:\n  options:\n    copies:\n      nearShare: 1\n');
  t.is((await judge('--options', options, '--baseline', 'none')).exit, 0);
  t.deepEqual((await readdir(out)).sort(), ['report.html', 'report.json', 'scorecard.json']);
  const card = scorecard.parse(JSON.parse(await readFile(join(out, 'scorecard.json'), 'utf8')));
  const near = card.rows.find(({ row }) => row === 'near')?.value ?? 0;
  t.true(near > 0.7, `most are near when hardly anything need agree: ${near}`);
  for (const [text, exit, message] of [
    ['privacy: {options: {copies: {nearShare: 2}}}', 64, /privacy\.options\.copies\.nearShare/],
    ['privacy: {options: {duplicates: {}}}', 64, /no privacy metric "duplicates"/],
    ['copies: {}', 64, /options\.yaml: .*copies/],
    ['a: [', 64, /options\.yaml: /],
  ] as const) {
    await writeFile(options, text);
    const ended = await judge('--force', '--options', options);
    t.is(ended.exit, exit, ended.err);
    t.regex(ended.err, message);
  }
  t.is((await judge('--force', '--options', join(folder, 'none'))).exit, 64);
});
