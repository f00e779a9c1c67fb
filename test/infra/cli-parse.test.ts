import test from 'ava';
import { z } from 'zod';
import { type Command, defineCommand } from '../../infra/cli/command.ts';
import { commands as everyCommand } from '../../infra/cli/commands.ts';
import { parseCommandLine, wantsJson } from '../../infra/cli/parse.ts';
import { demoCommand } from '../../infra/demo/command.ts';
import { StageError } from '../../schemas/errors.ts';

const paint = defineCommand({
  name: 'paint',
  summary: 'paint a wall',
  positionals: z.object({ wall: z.string(), corner: z.string().optional() }),
  options: z.object({
    color: z.enum(['red', 'green']).default('red').describe('what it becomes'),
    layers: z.int().positive().default(1),
    spareTrim: z.boolean().default(false),
    avoid: z.array(z.string()).default([]),
    at: z.array(z.number()).optional(),
  }),
  run: async () => undefined,
});
const wash = defineCommand({
  name: 'wash',
  summary: 'wash it again',
  positionals: z.object({}),
  options: z.object({ from: z.string() }),
  run: async () => undefined,
});
const commands: Command[] = [paint, wash];

const parse = (line: string) => parseCommandLine(line.split(' ').filter(Boolean), commands);
const complaint = (line: string): string => {
  try {
    parse(line);
  } catch (error) {
    if (error instanceof StageError && error.code === 'InvalidUsage') return error.message;
    throw error;
  }
  return `no complaint about ${line}`;
};

test('options and positionals come out as the schema types them', (t) => {
  const { command, input } = parse(
    'paint north --layers 3 --spare-trim --avoid door --avoid=window --at 2 --at 0.5',
  );
  t.is(command?.name, 'paint');
  t.deepEqual(input, {
    wall: 'north',
    color: 'red',
    layers: 3,
    spareTrim: true,
    avoid: ['door', 'window'],
    at: [2, 0.5],
  });
});

test('a lone dash is a value, and what follows a double dash is no option', (t) => {
  t.is(parse('wash --from -').input['from'], '-');
  t.is(parse('paint -- --north').input['wall'], '--north');
});

test('global flags stand before or after the command', (t) => {
  t.true(parse('--json wash --from here').flags.json);
  t.true(parse('wash --from here --json').flags.json);
  t.false(parse('wash --from here').flags.json);
});

test('help and version ask for no arguments', (t) => {
  for (const line of ['wash --help', 'wash -h', 'help wash', '-h wash']) {
    const { command, flags } = parse(line);
    t.is(command?.name, 'wash');
    t.true(flags.help);
  }
  t.is(parse('help').command, undefined);
  t.true(parse('--version').flags.version);
});

test('json is seen where the line cannot be parsed', (t) => {
  t.true(wantsJson(['nonsense', '--json', '--what']));
  t.false(wantsJson(['paint', '--', '--json']));
});

const wrong: [line: string, message: string][] = [
  ['pant north', 'there is no command "pant"; did you mean paint? (there are: paint, wash)'],
  ['zzz', 'there is no command "zzz" (there are: paint, wash)'],
  ['paint north --colour red', 'paint takes no option --colour; did you mean --color?'],
  ['paint north -x', 'paint takes no option -x'],
  ['--frm', 'understudy takes no option --frm'],
  ['paint north --color', '--color needs a value after it'],
  ['paint north --color --spare-trim', '--color needs a value after it'],
  ['paint north --color blue', '--color: expected one of red, green, found "blue"'],
  ['paint north --color gren', '--color: expected one of red, green, found "gren"; did you mean green?'],
  ['paint north --layers two', '--layers: expected a number, found "two"'],
  ['paint north --layers 0', '--layers: expected a number > 0, found 0'],
  ['paint north --layers 1.5', '--layers: expected an integer, found 1.5'],
  ['paint north --layers 1 --layers 2', '--layers is given twice'],
  ['paint north --spare-trim=yes', '--spare-trim takes no value, found "yes"'],
  ['paint north --at 1 --at x', '--at: expected a number, found "x"'],
  ['paint', 'WALL is missing'],
  ['paint a b c', 'paint takes no further argument, found "c"'],
  ['wash', '--from is missing'],
];

for (const [line, message] of wrong)
  test(`complains about: ${line}`, (t) => {
    t.is(complaint(line), message);
  });

test('no command takes an address for a place to write to', (t) => {
  const all = [...everyCommand, demoCommand];
  for (const [option, ...line] of [
    ['--folder', 'demo'],
    ['--folder', 'dev'],
    ['--out', 'evaluate', '--train', 'a', '--synthetic', 'b'],
    ['--out', 'impute', '--model', 'm', '--input', 'a', '--task', 'completion'],
    ['--out', 'import', 'halo', 'weights', '--vocabulary', 'v'],
  ] as const)
    t.throws(() => parseCommandLine([...line, option, 's3://bucket/place'], all), {
      name: 'InvalidUsage',
      message: new RegExp(`^${option}: expected a path of this machine, found the address`),
    });
});
