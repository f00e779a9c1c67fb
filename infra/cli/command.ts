import type { z } from 'zod';

/** Where a command talks to: people on stderr, results on stdout. */
export interface CommandIo {
  /** True with `--json`: stdout carries one JSON document and nothing else. */
  json: boolean;
  out(text: string): void;
  err(text: string): void;
  signal: AbortSignal;
}

/**
 * One command, one file in infra/cli. Options become `--kebab-case` flags; help is made from the
 * schemas' `.describe()` texts. `run` returns what `--json` prints; it throws StageError to fail.
 */
export interface Command<A extends z.ZodObject = z.ZodObject, O extends z.ZodObject = z.ZodObject> {
  name: string;
  summary: string;
  /** Positional arguments, in order. */
  positionals: A;
  options: O;
  /**
   * Options that follow from what is registered, such as those of a generator's import; loaded for this
   * command only.
   */
  moreOptions?(): Promise<z.ZodObject>;
  run(input: z.output<A> & z.output<O>, io: CommandIo): Promise<unknown>;
}

export const defineCommand = <A extends z.ZodObject, O extends z.ZodObject>(
  command: Command<A, O>,
): Command<A, O> => command;

/** A command with all its options, also those that are loaded when they are needed. */
export const withAllOptions = async (command: Command): Promise<Command> => {
  const more = await command.moreOptions?.();
  return more ? { ...command, options: command.options.extend(more.shape) } : command;
};
