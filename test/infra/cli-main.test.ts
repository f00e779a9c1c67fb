import test from 'ava';
import { z } from 'zod';
import { type Command, defineCommand } from '../../infra/cli/command.ts';
import { FailedOutcome, Interruption } from '../../infra/cli/failure-report.ts';
import { main } from '../../infra/cli/main.ts';
import { type FailureCode, failures, StageError } from '../../schemas/errors.ts';

const failing = (name: string, error: unknown): Command =>
  defineCommand({
    name,
    summary: 'fails',
    positionals: z.object({}),
    options: z.object({}),
    run: () => Promise.reject(error),
  });

const greet = defineCommand({
  name: 'greet',
  summary: 'say hello to somebody',
  positionals: z.object({ who: z.string().optional().describe('a person') }),
  options: z.object({
    tone: z.enum(['warm', 'cold']).default('warm').describe('how'),
    loudly: z.boolean().default(false).describe('so that all hear'),
    times: z.array(z.int()).default([]).describe('when'),
  }),
  async run({ who = 'you', tone }, io) {
    io.out(`hello ${who}`);
    io.err('said');
    return { who, tone };
  },
});

const run = async (argv: string[], commands: Command[] = [greet], signal = new AbortController().signal) => {
  let [out, err] = ['', ''];
  const exit = await main(argv, commands, {
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
    signal,
  });
  return { exit, out, err };
};

test('results go to stdout, words for people to stderr', async (t) => {
  t.deepEqual(await run(['greet', 'Ada']), { exit: 0, out: 'hello Ada\n', err: 'said\n' });
});

test('with --json stdout is one document', async (t) => {
  const { out, exit } = await run(['greet', '--json']);
  t.deepEqual(JSON.parse(out), { who: 'you', tone: 'warm' });
  t.is(exit, 0);
});

test('every code of the failure table gives its exit status and hint', async (t) => {
  for (const code of Object.keys(failures) as FailureCode[]) {
    const { exit, err, out } = await run(['it'], [failing('it', new StageError(code, 'went wrong'))]);
    t.is(exit, failures[code].exit);
    t.is(err, `understudy: went wrong\n  ${code}: ${failures[code].hint}\n`);
    t.is(out, '');
  }
});

test('with --json an error is the document, beside what the command had to show', async (t) => {
  const outcome = new FailedOutcome('RunFailed', 'two nodes failed', { run: 'nightly-1' });
  const { exit, out, err } = await run(['it', '--json'], [failing('it', outcome)]);
  t.is(exit, 70);
  t.is(err, '');
  t.deepEqual(JSON.parse(out), {
    run: 'nightly-1',
    error: { code: 'RunFailed', message: 'two nodes failed', hint: failures.RunFailed.hint },
  });
});

test('an error nobody classified shows its stack and exits 70', async (t) => {
  const { exit, err } = await run(['it'], [failing('it', new TypeError('x is not y'))]);
  t.is(exit, 70);
  t.regex(err, /cli-main\.test\.ts/);
  t.regex(err, /Unexpected: this is a bug/);
});

test('a command broken off exits 130 without a trace; one that serves until then exits 0', async (t) => {
  const aborted = AbortSignal.abort();
  t.is((await run(['greet'], [greet], aborted)).exit, 0);
  const { exit, err } = await run(['it'], [failing('it', new Error('aborted'))], aborted);
  t.deepEqual([exit, err], [130, '']);
  const waiting = failing('it', new Interruption({ run: 'nightly-1' }));
  t.like(JSON.parse((await run(['it', '--json'], [waiting], aborted)).out), {
    run: 'nightly-1',
    error: { code: 'Interrupted' },
  });
});

test('no command at all is a usage error that shows the help', async (t) => {
  const { exit, err } = await run([]);
  t.is(exit, 64);
  t.regex(err, /greet\s+say hello to somebody/);
});

test('help of a command is made from its schemas', async (t) => {
  const { out, exit } = await run(['greet', '--help']);
  t.is(exit, 0);
  t.is(
    out,
    `say hello to somebody

Usage: understudy greet [WHO] [options]

  WHO  a person

Options:
  --tone warm | cold  how [default: warm]
  --loudly            so that all hear
  --times VALUE       when (repeatable)
  --json              print one JSON document on stdout, also for errors
  --help              show what a command does and its options (-h)
  --version           show the version of Understudy
`,
  );
});
