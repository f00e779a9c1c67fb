import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { failures } from '../../schemas/errors.ts';
import { understudy } from '../helpers/cli-process.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

test('help, version and lists come without a server', async (t) => {
  const help = await understudy(['--help']);
  t.is(help.exit, 0);
  for (const command of ['run', 'status', 'watch', 'worker', 'dev', 'stages', 'models', 'metrics', 'plan'])
    t.regex(help.out, new RegExp(`^  ${command} `, 'm'));
  t.regex((await understudy(['--version'])).out, /^\d+\.\d+\.\d+\n$/);
  t.regex((await understudy(['stages', 'train'])).out, /generator +text +required/);
  const { models } = JSON.parse((await understudy(['models', '--json'])).out);
  t.true(models.some(({ name }: { name: string }) => name === 'halo'));
  const { metrics } = JSON.parse((await understudy(['metrics', '--json'])).out);
  t.true(metrics.some(({ name }: { name: string }) => name === 'code-pairs'));
});

test('a slip in the command line exits 64 and says what was meant', async (t) => {
  const { exit, err, out } = await understudy(['rnu']);
  t.deepEqual([exit, out], [64, '']);
  t.regex(err, /did you mean run\?/);
  t.is((await understudy(['models', 'hallo'])).exit, 64);
});

test('a plan is shown without running it, from stdin too', async (t) => {
  const { exit, out } = await understudy(['plan', '--config', '-', '--json'], {}, 'source: mimic\n');
  t.is(exit, 0);
  const { nodes } = JSON.parse(out);
  t.is(nodes[0].params.source, join(process.cwd(), 'mimic'));
  t.true(nodes.some(({ id }: { id: string }) => id === 'train:halo'));
});

test('a config that names an unknown generator, or a wrong setting of a known one, exits 64', async (t) => {
  const plan = (config: string) => understudy(['plan', '--config', '-', '--json'], {}, config);
  const unknown = await plan('source: mimic\ngenerators: [hallo]\n');
  t.is(unknown.exit, failures.InvalidConfig.exit);
  t.regex(JSON.parse(unknown.out).error.message, /generators\[0\].*hallo.*halo/s);
  const wrong = await plan('source: mimic\ngenerators: [{name: halo, config: {epochs: many}}]\n');
  t.regex(JSON.parse(wrong.out).error.message, /generators\[0\]\.config\.epochs/);
});

test('without a server every command that needs one exits 69 and names the address', async (t) => {
  const folder = await tempFolder(t);
  const file = join(folder, 'run.yaml');
  await writeFile(file, 'source: mimic\n');
  const env = { UNDERSTUDY_TEMPORAL_ADDRESS: '127.0.0.1:9' };
  for (const args of [
    ['run', '--config', file],
    ['status', 'x'],
    ['watch', 'x'],
  ]) {
    const { exit, err } = await understudy(args, env);
    t.is(exit, 69, err);
    t.regex(err, /127\.0\.0\.1:9/);
    t.regex(err, /understudy dev/);
  }
});

test('a bad environment variable is named', async (t) => {
  const { exit, err } = await understudy(['status', 'x'], { UNDERSTUDY_TEMPORAL_ADDRESS: 'http://here' });
  t.is(exit, 64);
  t.regex(err, /UNDERSTUDY_TEMPORAL_ADDRESS/);
});

test('a reader that goes away early ends it quietly', async (t) => {
  const script = `"${process.execPath}" infra/cli.ts stages --json | head -c 20; echo " \${PIPESTATUS[0]}"`;
  const child = spawn('bash', ['-c', script]);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
  await new Promise((resolve) => child.once('close', resolve));
  t.regex(said, /^\{\n {2}"stages": \[\n? *\S* (0|141)\n$/);
});
