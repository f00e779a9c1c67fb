/**
 * Privacy measures against the published scripts, in one run:
 *   node bench/privacy.ts [--patients 2000] [--peer 300] [--python python3] [--halo FOLDER] [--alternatives]
 * The peer's pair loops cost the same whatever the number of pairs, so it is timed on `--peer` patients and its
 * time per pair is extrapolated. With `--halo` (the HALO repository, and a Python that has numpy) the authors'
 * own functions run; without, the same loops in plain Python. Both sides' results must be equal.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { drain, type Steps } from '../pipelines/kernel/steps.ts';
import { attributeInference } from '../pipelines/metrics/privacy/engine/attribute-inference.ts';
import { copies } from '../pipelines/metrics/privacy/engine/copies.ts';
import { densityRatioAttack } from '../pipelines/metrics/privacy/engine/density-ratio.ts';
import { identityDisclosure } from '../pipelines/metrics/privacy/engine/identity-disclosure.ts';
import { localLikelihoodAttack } from '../pipelines/metrics/privacy/engine/local-likelihood.ts';
import {
  calibratedDatasetAttack,
  datasetAttack,
  datasetAttackScores,
} from '../pipelines/metrics/privacy/engine/membership.ts';
import { nnaa } from '../pipelines/metrics/privacy/engine/nnaa.ts';
import { keysFor } from '../pipelines/metrics/statistics/distance-rows.ts';
import { nearest } from '../pipelines/metrics/statistics/nearest.ts';
import type { PrivacyCohorts } from '../pipelines/metrics/statistics/samples.ts';
import type { VisitColumns } from '../pipelines/patients/visit-columns.ts';
import { type Alternative, byMatrixProduct, byPopcount, byVectorPopcount } from './privacy-alternatives.ts';
import { patientsOf, simulatedCohort } from './simulated-cohort.ts';

const { values } = parseArgs({
  options: {
    patients: { type: 'string', default: '2000' },
    holdout: { type: 'string' },
    peer: { type: 'string', default: '300' },
    python: { type: 'string', default: 'python3' },
    halo: { type: 'string' },
    alternatives: { type: 'boolean', default: false },
  },
});
const patients = Number(values.patients);
const holdout = Number(values.holdout ?? values.patients);
const peerPatients = Number(values.peer);

const cohortsOf = (count: number, test = count): PrivacyCohorts => ({
  train: simulatedCohort(count, 1),
  test: simulatedCohort(test, 2),
  synthetic: simulatedCohort(count, 3),
});

interface PeerReport {
  peer: string;
  python: string;
  nnaa: { seconds: number; result: number };
  membership: { seconds: number; result: number[] };
}

function runPeer(cohorts: PrivacyCohorts): PeerReport | undefined {
  const script = new URL('./privacy-peer.py', import.meta.url).pathname;
  const input = JSON.stringify(
    Object.fromEntries(Object.entries(cohorts).map(([k, v]) => [k, patientsOf(v)])),
  );
  const done = spawnSync(values.python, [script, ...(values.halo ? [values.halo] : [])], {
    input,
    maxBuffer: 2 ** 28,
    encoding: 'utf8',
  });
  if (done.status === 0) return JSON.parse(done.stdout) as PeerReport;
  console.error(`the peer did not run: ${done.error?.message ?? done.stderr.trim().split('\n').at(-1)}`);
  return undefined;
}

/** The first `count` patients, as a view. */
const firstOf = (columns: VisitColumns, count: number): VisitColumns => ({
  ...columns,
  visitOffsets: columns.visitOffsets.subarray(0, count + 1),
  labels: columns.labels.subarray(0, (columns.labels.length / (columns.visitOffsets.length - 1)) * count),
});

const milliseconds = async (work: () => unknown, times: number): Promise<number> => {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
};

/** Processor time of all threads, which other work on the machine disturbs less. */
const busyMilliseconds = async (work: () => unknown, times: number): Promise<number> => {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < times; i++) {
    const start = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
};

const say = (name: string, ms: number, more = '') =>
  console.log(name.padEnd(34), `${ms.toFixed(1)} ms`.padStart(12), more);

const cohorts = cohortsOf(patients, holdout);
const base = { seed: 1, replicates: 0 };
const measures: Record<string, () => Steps<unknown>> = {
  'NNAA, published form': () => nnaa(cohorts, { ...base, form: 'published' }),
  'NNAA, corrected': () => nnaa(cohorts, { ...base, form: 'corrected' }),
  'NNAA, corrected, 1000 resamples': () => nnaa(cohorts, { ...base, replicates: 1000, form: 'corrected' }),
  'membership, published distance': () => datasetAttack(cohorts, { ...base, distance: 'halo' }),
  'membership, symmetric': () => datasetAttack(cohorts, { ...base, distance: 'hamming' }),
  'membership, relative distance': () => calibratedDatasetAttack(cohorts, base),
  'membership, density ratio': () => densityRatioAttack(cohorts, base),
  'membership, local likelihood': () => localLikelihoodAttack(cohorts, { ...base, neighbors: 5 }),
  'attribute inference': () => attributeInference(cohorts, base),
  'copies and distance ratios': () => copies(cohorts, base),
  'identity disclosure': () => identityDisclosure(cohorts, base),
};

async function timeMeasures(): Promise<Map<string, number>> {
  const taken = new Map<string, number>();
  for (const [name, work] of Object.entries(measures)) {
    const ms = await milliseconds(() => drain(work()), patients > 5000 ? 1 : 5);
    taken.set(name, ms);
    say(name, ms);
  }
  console.log(`greatest resident memory: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
  return taken;
}

function comparePeer(taken: Map<string, number>): void {
  const small = cohortsOf(peerPatients);
  const peer = runPeer(small);
  if (!peer) return;
  const half = Math.floor(peerPatients / 2);
  const halves = { ...small, train: firstOf(small.train, half), test: firstOf(small.test, half) };
  const { members, nonMembers } = drain(datasetAttackScores(halves, 'halo'));
  const distances = [...members, ...nonMembers].map((score) => -score);
  const loss = drain(nnaa(small, { ...base, form: 'published' })).loss.value ?? NaN;
  const equal = Math.abs(loss - peer.nnaa.result) < 1e-12 && `${distances}` === `${peer.membership.result}`;
  console.log(`peer: ${peer.peer} (Python ${peer.python}), results ${equal ? 'equal' : 'DIFFER'}`);
  if (!equal) process.exitCode = 1;
  const size = Math.min(patients, holdout);
  for (const [names, perPair, pairs] of [
    [['NNAA, published form', 'NNAA, corrected'], peer.nnaa.seconds / (7 * peerPatients ** 2), 7 * size ** 2],
    [
      ['membership, published distance', 'membership, symmetric'],
      peer.membership.seconds / (2 * half * peerPatients),
      2 * size * patients,
    ],
  ] as const)
    for (const name of names) {
      const ms = taken.get(name) ?? NaN;
      const times = Math.round((1000 * perPair * pairs) / ms);
      const microseconds = (perPair * 1e6).toFixed(2);
      say(name, ms, `${times} × the peer's ${(perPair * pairs).toFixed(1)} s (${microseconds} µs per pair)`);
    }
}

async function compareAlternatives(): Promise<void> {
  const queries = Math.min(200, patients);
  const shared = keysFor([cohorts.train, cohorts.synthetic], 'hamming');
  const task = { shared, query: 0, reference: 1, distance: 'hamming', to: queries } as const;
  const expected = drain(nearest(task)).distance;
  const methods: Record<string, Alternative> = {
    'inverted index': () => drain(nearest(task)).distance,
    'packed bits, 64-bit popcount': byPopcount,
    'packed bits, 128-bit SIMD popcount': byVectorPopcount,
    'dense matrix product': byMatrixProduct,
  };
  console.log(
    `nearest of ${queries} among ${patients}, ${shared.keyCount} keys; processor time, best of seven`,
  );
  for (const [name, method] of Object.entries(methods)) {
    const same = `${await method(shared, queries)}` === `${expected}`;
    const ms = await busyMilliseconds(() => method(shared, queries), 7);
    say(name, ms, `${((ms * 1e6) / (queries * patients)).toFixed(1)} ns per pair${same ? '' : ', DIFFERS'}`);
  }
}

console.log(`${patients} train and synthetic, ${holdout} test patients (simulated, MIMIC-like)`);
const taken = await timeMeasures();
if (peerPatients > 0) comparePeer(taken);
if (values.alternatives) await compareAlternatives();
