/**
 * PromptEHR at BART-base's size through all steps of a run, on simulated patients, with the paper's settings:
 *   node bench/promptehr-base.ts [--small] [--patients 160] [--steps 3] [--draw 64] [--ask 16]
 *   node bench/promptehr-base.ts --visits 44 --batch 4 --steps 1
 * Training steps, a checkpoint written and resumed, the model written and opened, patients sampled, visits filled in
 * and scored. For each: processor time of all threads, the longest wait of the event loop, peak memory so far.
 * With `--visits`, one patient's record of so many visits of 15 codes is trained on, and nothing else is done.
 * Weights are random: a trained model writes longer spans than an untrained one, so given records count here,
 * and sampling is reported per code. Other work on the machine makes waits longer: in processor time
 * of all threads, a wait is what it would be at most on an idle machine. The time for 46,520 patients is extrapolated from that per visit.
 */
import { parseArgs } from 'node:util';
import { startBackend } from '../infra/backend.ts';
import type { Fitting, TrainingData } from '../pipelines/generation/generator.ts';
import promptehr from '../pipelines/generators/promptehr.ts';
import { release } from '../pipelines/kernel/free-array.ts';
import { decodeSaved, encodeInTurns } from '../pipelines/kernel/safetensors.ts';
import { drainAsync } from '../pipelines/kernel/steps.ts';
import {
  patientCount,
  type VisitColumns,
  VisitColumnsBuilder,
  visitCount,
} from '../pipelines/patients/visit-columns.ts';
import { modalities } from '../schemas/ehr.ts';
import { simulatedCohort } from './simulated-cohort.ts';

const { values } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    patients: { type: 'string', default: '160' },
    steps: { type: 'string', default: '3' },
    draw: { type: 'string', default: '64' },
    ask: { type: 'string', default: '16' },
    visits: { type: 'string' },
    batch: { type: 'string', default: '16' },
  },
});
const [patients, steps, draw, ask] = [values.patients, values.steps, values.draw, values.ask].map(Number) as [
  number,
  number,
  number,
  number,
];
const codes = values.small ? 300 : 6841;
/** Of all of MIMIC-III, with 1.27 visits each. */
const whole = { patients: 46_520, visits: 58_976 };

const say = (text: string) => process.stdout.write(`${text}\n`);
const processor = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

/** Runs `work` and prints its cost; returns the processor time in seconds too. */
const timed = async <T>(title: string, work: () => Promise<T>): Promise<{ result: T; seconds: number }> => {
  let [last, wait, lastOwn, waitOwn] = [performance.now(), 0, processor(), 0];
  const look = () => {
    [wait, waitOwn] = [Math.max(wait, performance.now() - last), Math.max(waitOwn, processor() - lastOwn)];
    [last, lastOwn] = [performance.now(), processor()];
  };
  const timer = setInterval(look, 1);
  const began = processor();
  const result = await work();
  look();
  clearInterval(timer);
  const seconds = processor() - began;
  say(
    `${title.padEnd(34)} ${seconds.toFixed(1).padStart(7)} s of processor time; the event loop waited ` +
      `${Math.round(wait).toString().padStart(5)} ms (${Math.round(1000 * waitOwn)} ms of processor time); ` +
      `${gibibytes(process.memoryUsage.rss())} held, at most ${gibibytes(process.resourceUsage().maxRSS * 1024)}`,
  );
  return { result, seconds };
};

/** Ages and sexes beside the simulated visits. */
const withFacts = (columns: VisitColumns): VisitColumns => {
  const each = (value: (patient: number) => number) =>
    Array.from({ length: patientCount(columns) }, (_, patient) => value(patient));
  return {
    ...columns,
    demographics: {
      age: { kind: 'numeric', values: Float32Array.from(each((i) => 20 + ((i * 37) % 70))) },
      sex: { kind: 'categorical', levels: ['F', 'M'], values: Int32Array.from(each((i) => i % 2)) },
    },
  };
};

/** One patient, with contexts as long as there can be. */
const longRecord = (count: number): VisitColumns => {
  const builder = new VisitColumnsBuilder();
  const visits = Array.from({ length: count }, (_, visit) =>
    Array.from({ length: 15 }, (_, i) => (i * 400 + visit * 37) % codes),
  );
  builder.addPatient(visits, new Array(25).fill(0));
  return builder.build();
};

const data: TrainingData = {
  vocabulary: {
    codes: Array.from({ length: codes }, (_, i) => ({ modality: modalities[i % 3] ?? 'dx', code: `${i}` })),
    labels: Array.from({ length: 25 }, (_, i) => `label ${i}`),
  },
  train: withFacts(values.visits ? longRecord(Number(values.visits)) : simulatedCohort(patients, 1, codes)),
  validation: withFacts(simulatedCohort(24, 2, codes)),
};
const asked = withFacts(simulatedCohort(ask, 3, codes));
const tiny = { width: 32, encoderLayers: 1, decoderLayers: 1, attentionHeads: 2, feed: 32, promptHidden: 4 };
const config = promptehr.config.parse({
  preset: 'paper',
  batch: Number(values.batch),
  ...(values.small && tiny),
});

const backend = await startBackend((line) => say(line));
say(`${backend.name} ${backend.library ?? backend.version}, ${backend.device}`);

const before = process.memoryUsage.rss();
const { result: fitting } = await timed('weights drawn', () => promptehr.fit(data, config, 1));
say(`  ${JSON.stringify(fitting.facts)}`);
const estimate = before + Number(fitting.facts['memoryMib']) * 2 ** 20;
say(`  estimated: ${gibibytes(estimate)} at most`);
const steppedBy = async (some: Fitting, count: number) => {
  const losses: number[] = [];
  for (let i = 0; i < count; i++) losses.push((await some.step()).loss);
  return losses;
};
const { result: losses, seconds: learned } = await timed(`${steps} steps of ${values.batch} visits`, () =>
  steppedBy(fitting, steps),
);
say(
  `  losses ${losses.map((loss) => loss.toFixed(4)).join(' ')}; ${(learned / steps).toFixed(2)} s per step`,
);
if (values.visits) process.exit(0);
const { result: checkpoint } = await timed('a checkpoint written', async () =>
  encodeInTurns(await fitting.save()),
);
say(`  ${gibibytes(checkpoint.byteLength)}`);
const [onward] = (await timed('one more step', () => steppedBy(fitting, 1))).result;
await timed('the checkpoint taken up', async () => fitting.load(decodeSaved(checkpoint)));
release(checkpoint);
const [again] = (await timed('that step again', () => steppedBy(fitting, 1))).result;
say(`  loss ${onward} and ${again}: ${Object.is(onward, again) ? 'bit for bit the same' : 'NOT THE SAME'}`);
const { result: bytes } = await timed('the model written', async () => encodeInTurns(await fitting.model()));
say(`  ${gibibytes(bytes.byteLength)}`);
fitting.dispose();
const { result: sampler } = await timed('the model opened', () =>
  promptehr.open(decodeSaved(bytes), config, data.vocabulary),
);
const { result: drawn, seconds: drawing } = await timed(`${draw} patients drawn`, () =>
  sampler.sample({ first: 0, count: draw, seed: 1 }),
);
const codeCount = drawn.codes.length;
say(
  `  ${visitCount(drawn)} visits, ${codeCount} codes: ${((1000 * drawing) / codeCount).toFixed(1)} ms per code`,
);

const visits = visitCount(asked);
const extrapolated = (what: string, seconds: number, count: number, all: number) =>
  say(
    `  ${(seconds / count).toFixed(2)} s a ${what}; extrapolated to all of MIMIC-III (${all} ${what}s): ` +
      `${((seconds / count / 3600) * all).toFixed(0)} h of processor time`,
  );
const { seconds: scored } = await timed(`${visits} visits scored (conditional)`, () =>
  drainAsync(sampler.conditional?.(asked) ?? (Promise.reject(new Error('cannot be scored')) as never)),
);
extrapolated('visit', scored, visits, whole.visits);
for (const task of ['next-visit', 'completion', 'cross-modal'] as const) {
  const kinds = task === 'cross-modal' ? { kinds: ['dx' as const] } : {};
  const count = task === 'next-visit' ? patientCount(asked) : visits;
  const { seconds } = await timed(`${count} visits filled in (${task})`, () =>
    drainAsync(
      sampler.impute?.({ columns: asked, task, top: 20, ...kinds }) ??
        (Promise.reject(new Error('cannot fill in')) as never),
    ),
  );
  extrapolated('visit', seconds, count, task === 'next-visit' ? whole.patients : whole.visits);
}
sampler.dispose();
