import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { startGuarded } from '../../infra/guarded-process.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await sleep(20);
};

/** Waits until the log holds a line of digits alone, and reads it. */
const numberIn = async (logFile: string): Promise<number> => {
  const read = async () => /^(\d+)$/m.exec(await readFile(logFile, 'utf8').catch(() => ''))?.[1];
  await until(async () => (await read()) !== undefined);
  return Number(await read());
};

test('a command runs, writes its log, and its status is told', async (t) => {
  const logFile = join(await tempFolder(t), 'log');
  const child = await startGuarded(['/bin/sh', '-c', 'echo "$WORD"; echo bad >&2; exit 7'], {
    logFile,
    env: { ...process.env, WORD: 'good' },
  });
  t.is(await child.exited, 7);
  t.is(child.status(), 7);
  t.is(await child.logTail(), 'good\nbad');
  await child.stop();
});

test('stop lets the command end in its own way', async (t) => {
  const logFile = join(await tempFolder(t), 'log');
  const child = await startGuarded(
    ['/bin/sh', '-c', 'trap "echo bye; exit 3" TERM; echo $$; while :; do sleep 0.05; done'],
    { logFile },
  );
  const pid = await numberIn(logFile);
  await child.stop();
  t.is(child.status(), 3);
  t.regex(await child.logTail(), /bye$/);
  t.false(isAlive(pid));
});

test('stop kills what does not listen, kill everything at once', async (t) => {
  for (const end of ['stop', 'kill'] as const) {
    const logFile = join(await tempFolder(t), 'log');
    const child = await startGuarded(
      ['/bin/sh', '-c', 'trap "" TERM; echo $$; while :; do sleep 0.05; done'],
      { logFile },
    );
    const pid = await numberIn(logFile);
    await (end === 'stop' ? child.stop(100) : child.kill());
    t.is(child.status(), 137);
    await until(() => !isAlive(pid));
    t.false(isAlive(pid));
  }
});

test('a stop that comes as soon as the command runs still ends it', async (t) => {
  const folder = await tempFolder(t);
  const stopped = async (round: number, i: number) => {
    const logFile = join(folder, `${round}-${i}.log`);
    const script = 'trap "exit 5" TERM; echo $$; while :; do sleep 0.05; done';
    const child = await startGuarded(['/bin/sh', '-c', script], { logFile });
    const pid = await numberIn(logFile);
    await child.stop();
    return { status: child.status(), alive: isAlive(pid) };
  };
  for (let round = 0; round < 5; round++) {
    const ends = await Promise.all(Array.from({ length: 20 }, (_, i) => stopped(round, i)));
    t.deepEqual(
      ends,
      ends.map(() => ({ status: 5, alive: false })),
    );
  }
});

test('a command does not outlive a parent that is killed', async (t) => {
  const logFile = join(await tempFolder(t), 'log');
  const module = new URL('../../infra/guarded-process.ts', import.meta.url).href;
  const script = `
    import { startGuarded } from ${JSON.stringify(module)};
    await startGuarded(['/bin/sh', '-c', 'echo $$; exec sleep 100'], { logFile: ${JSON.stringify(logFile)} });
    await new Promise(() => setInterval(() => {}, 1000));`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' });
  const pid = await numberIn(logFile);
  t.true(isAlive(pid));
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  await until(() => !isAlive(pid));
  t.false(isAlive(pid));
});
