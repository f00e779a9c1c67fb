import { readFileSync } from 'node:fs';
import { StageError } from '../../schemas/errors.ts';
import { type Command, type CommandIo, withAllOptions } from './command.ts';
import { FailedOutcome, type FailureReport, failureReport, Interruption } from './failure-report.ts';
import { commandHelp, globalHelp } from './help.ts';
import { parseCommandLine, wantsJson } from './parse.ts';

/** Where a command line reads from and writes to; a test hands in its own. */
export interface Terminal {
  stdout(text: string): void;
  stderr(text: string): void;
  signal: AbortSignal;
}

const version = (): string => {
  const file = new URL('../../package.json', import.meta.url);
  const { version: number }: { version: string } = JSON.parse(readFileSync(file, 'utf8'));
  return number;
};

const commandIo = (terminal: Terminal, json: boolean): CommandIo => ({
  json,
  out: (text) => json || terminal.stdout(`${text}\n`),
  err: (text) => terminal.stderr(`${text}\n`),
  signal: terminal.signal,
});

const interruption = (error: unknown): FailureReport => {
  const { hint } = error instanceof Interruption ? error : new Interruption({});
  return { code: 'Interrupted', message: 'interrupted', hint, exit: 130 };
};

const fail = (terminal: Terminal, error: unknown, json: boolean): number => {
  const { aborted } = terminal.signal;
  const { exit, ...shown } = aborted ? interruption(error) : failureReport(error);
  if (json) {
    const result = error instanceof FailedOutcome || error instanceof Interruption ? error.result : {};
    terminal.stdout(`${JSON.stringify({ ...result, error: shown }, null, 2)}\n`);
  } else if (!aborted) {
    if (!(error instanceof StageError) && error instanceof Error) terminal.stderr(`${error.stack}\n`);
    terminal.stderr(`understudy: ${shown.message}\n  ${shown.code}: ${shown.hint}\n`);
  }
  return exit;
};

/**
 * Runs one command line and returns its exit status: 0, the status of the failure table, or 130 when
 * Ctrl-C ended it. A command that serves until Ctrl-C returns then, and that is a 0.
 */
export const main = async (
  argv: readonly string[],
  commands: readonly Command[],
  terminal: Terminal,
): Promise<number> => {
  const json = wantsJson(argv);
  const print = (value: unknown, text: string) =>
    terminal.stdout(`${json ? JSON.stringify(value, null, 2) : text}\n`);
  try {
    const known = await Promise.all(
      commands.map((command) => (argv.includes(command.name) ? withAllOptions(command) : command)),
    );
    const { command, flags, input } = parseCommandLine(argv, known);
    if (flags.version) print({ version: version() }, version());
    else if (!command || flags.help) {
      const help = command ? commandHelp(command) : globalHelp(commands);
      if (!command && !flags.help) throw new StageError('InvalidUsage', `which command?\n\n${help}`);
      print({ help }, help);
    } else {
      const result = await command.run(input, commandIo(terminal, json));
      if (json) print(result ?? {}, '');
    }
    return 0;
  } catch (error) {
    return fail(terminal, error, json);
  }
};
