import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** How a process ended and what it said. */
export interface Ended {
  exit: number | null;
  out: string;
  err: string;
}

export interface Started {
  child: ChildProcess;
  /** Resolves when what was said on either stream matches. */
  says(pattern: RegExp): Promise<void>;
  ended: Promise<Ended>;
}

/** Starts `infra/<script>` as a person would, without a terminal. */
export const startScript = (script: string, args: string[], env: NodeJS.ProcessEnv = {}): Started => {
  const child = spawn(process.execPath, [`${root}infra/${script}`, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let [out, err] = ['', ''];
  const heard = new Set<() => void>();
  const hear = (take: (text: string) => void) => (text: string) => {
    take(text);
    for (const listener of heard) listener();
  };
  child.stdout.setEncoding('utf8').on(
    'data',
    hear((text) => {
      out += text;
    }),
  );
  child.stderr.setEncoding('utf8').on(
    'data',
    hear((text) => {
      err += text;
    }),
  );
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (exit) => resolve({ exit, out, err }));
  });
  const says = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const listener = () => {
        if (!pattern.test(out + err)) return;
        heard.delete(listener);
        resolve();
      };
      heard.add(listener);
      listener();
      void ended.then(({ exit }) =>
        reject(new Error(`ended with ${exit} before it said ${pattern}: ${out}${err}`)),
      );
    });
  return { child, says, ended };
};

/** `understudy …` to its end; `input` goes to its stdin. */
export const understudy = (args: string[], env: NodeJS.ProcessEnv = {}, input = ''): Promise<Ended> => {
  const { child, ended } = startScript('cli.ts', args, env);
  child.stdin?.end(input);
  return ended;
};
