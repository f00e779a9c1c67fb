import { Connection } from '@temporalio/client';
import { askProgram } from '../bootstrap/find-program.ts';
import { type Probed, probeBackend } from '../bootstrap/probe.ts';
import { findTemporal } from '../bootstrap/temporal-binary.ts';
import { versions } from '../bootstrap/versions.ts';
import type { Environment } from '../env.ts';
import type { Check, Checker } from './check.ts';

const BOOTSTRAP = 'npx understudy bootstrap';

const tensorflowCheck = (probed: Probed, wish: Environment['tensorflow']): Check => {
  const name = 'TensorFlow';
  if (!probed.ok)
    return { name, state: 'fail', found: probed.problem, fix: `run UNDERSTUDY_TF=${wish} ${BOOTSTRAP}` };
  const { backend } = probed;
  const speed = `${backend.gflops.toFixed(0)} GFLOP/s on the ${backend.device}`;
  if (backend.name === 'tensorflow')
    return { name, state: 'ok', found: `${backend.library} by tfjs-node ${backend.version}, ${speed}` };
  const found = `not native: ${backend.name}, ${speed}`;
  if (wish === 'js') return { name, state: 'ok', found: `${found} (UNDERSTUDY_TF=js)` };
  return { name, state: 'warn', found, fix: `run ${BOOTSTRAP}: it names what is missing` };
};

const gpuCheck = (card: string | undefined, probed: Probed, wish: Environment['tensorflow']): Check => {
  const name = 'GPU';
  if (!card) {
    if (wish !== 'gpu') return { name, state: 'ok', found: 'none; computing on the CPU' };
    const fix = 'install the NVIDIA driver, or set UNDERSTUDY_TF=cpu';
    return { name, state: 'fail', found: 'none, though UNDERSTUDY_TF=gpu asks for one', fix };
  }
  const used = probed.ok && probed.backend.device === 'gpu';
  if (used || wish === 'cpu' || wish === 'js') return { name, state: 'ok', found: card };
  return { name, state: 'warn', found: `${card}, unused`, fix: `run UNDERSTUDY_TF=gpu ${BOOTSTRAP}` };
};

/** The backend that UNDERSTUDY_TF asks for, tried in a child process with a timed product, and the card under it. */
export const checkTensorflow: Checker = async ({ tensorflow }) => {
  const query = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'];
  const [probed, cards] = await Promise.all([probeBackend(tensorflow), askProgram('nvidia-smi', query)]);
  return [tensorflowCheck(probed, tensorflow), gpuCheck(cards?.split('\n')[0], probed, tensorflow)];
};

export const checkTemporal: Checker = async (environment) => {
  const name = 'Temporal CLI';
  const found = await findTemporal(environment);
  if (found) return [{ name, state: 'ok', found: `${found.path}, server ${found.server}` }];
  const fix = `run ${BOOTSTRAP}, or put one on PATH`;
  return [{ name, state: 'fail', found: `none with server >= ${versions.temporal.minimumServer}`, fix }];
};

/** Whether a Temporal server answers, and which. None is no failure: `dev` and the demo start their own. */
export const checkServer: Checker = async ({ temporalAddress: address }) => {
  const name = 'Temporal server';
  try {
    const connection = await Connection.connect({ address, connectTimeout: '2s' });
    const { serverVersion } = await connection.workflowService.getSystemInfo({});
    await connection.close();
    return [{ name, state: 'ok', found: `${serverVersion} at ${address}` }];
  } catch {
    const fix = 'start one with `npx understudy dev`, or set UNDERSTUDY_TEMPORAL_ADDRESS';
    return [{ name, state: 'warn', found: `none answers at ${address}`, fix }];
  }
};
