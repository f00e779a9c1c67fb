import { commands } from './cli/commands.ts';
import { runAsProcess } from './cli/terminal.ts';

await runAsProcess(process.argv.slice(2), commands);
