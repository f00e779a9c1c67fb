#!/usr/bin/env node
// The `understudy` command: runs infra/cli.ts on a Node that can, from any folder. Plain JavaScript for Node >= 20.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const infra = dirname(fileURLToPath(import.meta.url));
const { minimum } = JSON.parse(readFileSync(join(infra, 'bootstrap', 'versions.json'), 'utf8')).node;
const program = join(infra, 'cli.ts');

const newEnough = (version) => {
  const [have, need] = [version, minimum].map((text) => text.replace(/^v/, '').split('.').map(Number));
  const at = need.findIndex((number, i) => number !== have[i]);
  return at < 0 || have[at] > need[at];
};

if (newEnough(process.version)) await import(program);
else {
  const node = join(infra, '..', 'node_modules', '.bin', 'node');
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  if (!stdout || !newEnough(stdout.trim())) {
    process.stderr.write(
      `understudy: needs Node ${minimum} or newer and this is ${process.version}; ` +
        `run \`node ${join(infra, 'setup.mjs')} provision\`\n`,
    );
    process.exit(69);
  }
  // In a process group of its own, so that Ctrl-C reaches it once, through us: twice means `at once`.
  const args = [program, ...process.argv.slice(2)];
  const child = spawn(node, args, { stdio: 'inherit', detached: true });
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => child.kill(name));
  child.once('error', (error) => {
    process.stderr.write(`understudy: ${error.message}\n`);
    process.exit(69);
  });
  child.once('close', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exit(code ?? 1);
  });
}
