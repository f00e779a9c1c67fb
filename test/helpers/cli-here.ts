import type { Command } from '../../infra/cli/command.ts';
import { main } from '../../infra/cli/main.ts';
import type { Ended } from './cli-process.ts';

/** The command line in this process: a start of its own takes longer than the work. */
export const understudyHere = async (args: string[], commands: readonly Command[]): Promise<Ended> => {
  let [out, err] = ['', ''];
  const exit = await main(args, commands, {
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
    signal: new AbortController().signal,
  });
  return { exit, out, err };
};
