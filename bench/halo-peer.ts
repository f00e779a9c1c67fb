import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readEnvironment } from '../infra/env.ts';
import type { VisitColumns } from '../pipelines/patients/visit-columns.ts';

const repository = 'https://github.com/btheodorou99/HALO_Inpatient';
const commit = '8d30ef84e39dd183eaf2d3b086f8b5830d6665e2';

/** Runs a program with its output shown; throws when it fails. */
const run = (program: string, args: string[]): void => {
  const { status, error } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? `status ${status}`}`);
};

/** The published code: UNDERSTUDY_HALO, or a clone of it in the cache. */
const publishedCode = (cache: string): string => {
  const given = process.env['UNDERSTUDY_HALO'];
  if (given) return given;
  const folder = join(cache, 'HALO_Inpatient');
  if (!existsSync(folder)) run('git', ['clone', repository, folder]);
  run('git', ['-C', folder, 'checkout', '--quiet', commit]);
  return folder;
};

/** A Python with torch and numpy: UNDERSTUDY_PYTHON, or an environment of its own in the cache. */
const pythonWithTorch = (cache: string): string => {
  const given = process.env['UNDERSTUDY_PYTHON'];
  if (given) return given;
  const folder = join(cache, 'halo-python');
  const python = join(folder, 'bin', 'python');
  if (existsSync(join(folder, 'ready'))) return python;
  run('python3', ['-m', 'venv', '--clear', folder]);
  run(python, ['-m', 'pip', 'install', '--quiet', 'torch==2.15.*', 'numpy']);
  run('touch', [join(folder, 'ready')]);
  return python;
};

/** The reference's configuration, under its names. */
export interface PeerConfig {
  total_vocab_size: number;
  code_vocab_size: number;
  label_vocab_size: number;
  special_vocab_size: number;
  n_positions: number;
  n_ctx: number;
  n_embd: number;
  n_layer: number;
  n_head: number;
  batch_size: number;
}

interface Opened {
  python: string;
  torch: string;
  threads: number;
  parameters: number;
}
interface PeerStep {
  loss: number;
  /** Seconds of making the dense batch, which is no part of the step here. */
  batch: number;
  /** Seconds of forward, backward, update. */
  parts: [number, number, number];
}

/** The published code in a process of its own, doing one thing after the other. */
export class HaloPeer {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (!child.stdout) throw new Error('the peer has no output');
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  static async start(): Promise<HaloPeer> {
    const cache = join(readEnvironment().cache, 'bench');
    await mkdir(cache, { recursive: true });
    const script = new URL('./halo-peer.py', import.meta.url).pathname;
    const args = [script, publishedCode(cache)];
    return new HaloPeer(spawn(pythonWithTorch(cache), args, { stdio: ['pipe', 'pipe', 'inherit'] }));
  }

  async #ask(request: object): Promise<unknown> {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    const { done, value } = await this.#lines.next();
    if (done) throw new Error('the peer ended; its output is above');
    return JSON.parse(value);
  }

  open(config: PeerConfig, columns: VisitColumns, weights?: string): Promise<Opened> {
    const patients = patientsOf(columns);
    return this.#ask({ do: 'open', config, patients, weights: weights ?? null }) as Promise<Opened>;
  }
  step(first: number): Promise<PeerStep> {
    return this.#ask({ do: 'step', first }) as Promise<PeerStep>;
  }
  /** Seconds of one visit's transformer, and of one turn of its loop over columns. */
  sample(patients: number): Promise<{ transformer: number; turn: number }> {
    return this.#ask({ do: 'sample', patients }) as Promise<{ transformer: number; turn: number }>;
  }
  gemm(size: number): Promise<{ seconds: number[] }> {
    return this.#ask({ do: 'gemm', size }) as Promise<{ seconds: number[] }>;
  }
  memory(): Promise<{ mebibytes: number }> {
    return this.#ask({ do: 'memory' }) as Promise<{ mebibytes: number }>;
  }
  close(): void {
    this.#child.stdin?.end();
  }
}

/** As the published code keeps them. */
const patientsOf = ({ visitOffsets, codeOffsets, codes, labels }: VisitColumns) => {
  const perPatient = labels.length / (visitOffsets.length - 1);
  return Array.from(visitOffsets.subarray(1), (end, patient) => {
    const first = visitOffsets[patient] as number;
    return {
      visits: Array.from({ length: end - first }, (_, i) => [
        ...codes.subarray(codeOffsets[first + i], codeOffsets[first + i + 1]),
      ]),
      labels: [...labels.subarray(patient * perPatient, (patient + 1) * perPatient)],
    };
  });
};
