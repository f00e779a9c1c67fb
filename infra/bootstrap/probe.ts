import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { Environment } from '../env.ts';

const workingSchema = z.object({
  name: z.enum(['tensorflow', 'wasm', 'cpu']),
  device: z.enum(['cpu', 'gpu']),
  version: z.string(),
  library: z.string().optional(),
  gflops: z.number(),
});

/** What a backend showed of itself in a process of its own. */
export type Probed = { ok: true; backend: z.output<typeof workingSchema> } | { ok: false; problem: string };

const program = fileURLToPath(new URL('./probe-main.ts', import.meta.url));

/** Starts the backend that `wish` asks for in a child process, so that a broken addon cannot take us with it. */
export const probeBackend = async (wish: Environment['tensorflow']): Promise<Probed> => {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [program], {
      timeout: 120_000,
      env: { ...process.env, UNDERSTUDY_TF: wish },
    });
    return { ok: true, backend: workingSchema.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')) };
  } catch (error) {
    const lastLine = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1);
    const signal = (error as { signal?: string | null }).signal;
    const text = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return { ok: false, problem: signal ? `the process died of ${signal}` : lastLine || text };
  }
};
