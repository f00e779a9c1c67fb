import { runAsProcess } from './cli/terminal.ts';
import { demoCommand } from './demo/command.ts';

await runAsProcess(['demo', ...process.argv.slice(2)], [demoCommand]);
