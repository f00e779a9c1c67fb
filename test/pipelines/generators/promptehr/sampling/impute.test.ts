import test from 'ava';
import type { Imputation, ImputeRequest } from '../../../../../pipelines/generation/generator.ts';
import { packSequences } from '../../../../../pipelines/generators/promptehr/network/sequences.ts';
import { promptsOf } from '../../../../../pipelines/generators/promptehr/records/features.ts';
import {
  contextStream,
  spanSteps,
  spansOf,
  visitStream,
} from '../../../../../pipelines/generators/promptehr/records/streams.ts';
import { logSoftmax } from '../../../../../pipelines/generators/promptehr/sampling/decoding.ts';
import { PromptSampler } from '../../../../../pipelines/generators/promptehr/sampling/sampler.ts';
import { drainAsync } from '../../../../../pipelines/kernel/steps.ts';
import { deviceArrays } from '../../../../../pipelines/nn/ops/open-ops.ts';
import {
  selectPatients,
  type VisitColumns,
  visitCount,
} from '../../../../../pipelines/patients/visit-columns.ts';
import { tokenKinds } from '../../../../../schemas/ehr.ts';
import { columnsAsWritten } from '../../../metrics/golden-cohorts.ts';
import { toyModel, toyVocabulary } from '../toy.ts';

const { network, model, cohort } = await toyModel();
const sampler = new PromptSampler(network, model);
const { streams } = model;
const few = selectPatients(cohort, [3, 9, 20, 31, 4]);

const conditional = (columns: VisitColumns) => drainAsync(sampler.conditional(columns));
const impute = (request: ImputeRequest) => drainAsync(sampler.impute(request));

/** Losses among the codes of the head, by the network's teacher-forced logits. */
const forced = async (columns: VisitColumns, patient: number, visit: number, kind: number, told: boolean) => {
  const spans = spansOf(streams, columns, visit);
  const first = columns.visitOffsets[patient] as number;
  const visits = Array.from({ length: visit - first }, (_, i) =>
    visitStream(streams, spansOf(streams, columns, first + i)),
  );
  if (told)
    visits.push(
      visitStream(
        streams,
        spans.map((codes, other) => (other === kind ? undefined : codes)),
      ),
    );
  const { inputs, targets } = spanSteps(streams, kind, spans[kind] ?? []);
  const logits = await network.logits({
    contexts: packSequences([contextStream(visits, model.settings.contextTokens).tokens]),
    spans: packSequences([inputs]),
    sources: Int32Array.of(0),
    heads: Int32Array.of(kind),
    targets: Int32Array.from(targets),
    ...promptsOf(model.features, columns, [patient]),
  });
  return targets.slice(0, -1).map((target, row) => {
    const own = logits[row] as Float32Array;
    const codes = new Uint8Array(own.length).fill(1, 1 + (targets[row - 1] ?? 0));
    return -(logSoftmax(own, codes)[target] as number);
  });
};

test.serial('the chain that the authors score is the network’s, code by code', async (t) => {
  const { reference, codes } = await conditional(few);
  // The first request leaves constants for all later ones.
  const before = deviceArrays();
  await conditional(few);
  t.is(deviceArrays(), before, 'nothing stays on the device');
  let compared = 0;
  for (let patient = 0; patient < 5; patient++) {
    const first = few.visitOffsets[patient] as number;
    for (let visit = first; visit < (few.visitOffsets[patient + 1] as number); visit++)
      for (const kind of streams.kinds.keys()) {
        const places = [...few.codes.keys()].filter(
          (i) =>
            i >= (few.codeOffsets[visit] as number) &&
            i < (few.codeOffsets[visit + 1] as number) &&
            streams.kindOf[few.codes[i] as number] === kind,
        );
        const column = tokenKinds.indexOf(streams.kinds[kind] ?? 'dx');
        t.is(codes[visit * tokenKinds.length + column], places.length);
        if (places.length === 0) continue;
        const cross = await forced(few, patient, visit, kind, true);
        const past = await forced(few, patient, visit, kind, false);
        places.forEach((place, i) => {
          t.true(Math.abs((reference?.crossModal[place] ?? 0) - (cross[i] ?? 0)) < 1e-4);
          const longitudinal = reference?.longitudinal[place] ?? 0;
          if (visit === first) t.is(longitudinal, Number.NaN);
          else t.true(Math.abs(longitudinal - (past[i] ?? 0)) < 1e-4);
          compared++;
        });
      }
  }
  t.true(compared > 30);
});

test.serial('a visit’s codes get the shares that its past, and its other kinds, give them', async (t) => {
  // Every set of diagnoses of one visit after the same past: what is given to each code adds up to one.
  const past = [0, 2, 4, 7];
  const records = [0, 1, 2, 3].map((code) => ({ visits: [past, [code, 5]], labels: [0, 0] }));
  const { longitudinal, crossModal } = await conditional(columnsAsWritten(records));
  for (const losses of [longitudinal, crossModal]) {
    const shares = records.map((_, i) => Math.exp(-(losses[(2 * i + 1) * tokenKinds.length] as number)));
    // The draws of each record are its own, so the sum is one up to what they err.
    t.true(Math.abs(shares.reduce((a, b) => a + b) - 1) < 0.05, `${shares}`);
  }
  const other = columnsAsWritten([{ visits: [past, [0, 6, 8]], labels: [0, 0] }]);
  const told = await conditional(other);
  const dx = 1 * tokenKinds.length;
  const change = (found: Float64Array, before: Float64Array) =>
    Math.abs((found[dx] as number) - (before[dx] as number));
  t.true(change(told.longitudinal, longitudinal) < 1e-5, 'the past alone decides');
  t.true(change(told.crossModal, crossModal) > 1e-2, 'the other kinds are heard');
});

test.serial('records longer than the context are read from their newest visits, and counted', async (t) => {
  const visits = Array.from({ length: 6 }, (_, i) => [0, 1, 2, 4, 5, 7, 8].map((code) => (code + i) % 9));
  const sorted = visits.map((codes) => codes.sort((a, b) => a - b));
  const short = columnsAsWritten([{ visits: sorted.slice(0, 1), labels: [0, 0] }]);
  t.is((await conditional(short)).cut, 0);
  const long = await conditional(
    columnsAsWritten([
      { visits: sorted, labels: [0, 0] },
      { visits: [[0]], labels: [0, 0] },
    ]),
  );
  t.is(long.cut, 1);
  t.true(long.longitudinal.every(Number.isFinite));
});

const rowsOf = ({ patient, visit, code, probability }: Imputation) =>
  Array.from(code, (token, i) => ({
    patient: patient[i] as number,
    visit: visit[i] as number,
    code: token,
    probability: probability[i] as number,
  }));

test.serial('each task fills in the visits it is for, likeliest first', async (t) => {
  const completion = rowsOf(await impute({ columns: few, task: 'completion' }));
  const codesAt = (patient: number, visit: number) => {
    const at = (few.visitOffsets[patient] as number) + visit;
    return [...few.codes.subarray(few.codeOffsets[at], few.codeOffsets[at + 1])];
  };
  t.true(completion.every(({ patient, visit, code }) => !codesAt(patient, visit).includes(code)));
  t.true(completion.every(({ probability }) => probability > 0 && probability <= 1));
  const visits = new Set(completion.map(({ patient, visit }) => `${patient} ${visit}`));
  t.is(visits.size, visitCount(few));
  completion.forEach((row, i) => {
    const next = completion[i + 1];
    if (next?.patient === row.patient && next.visit === row.visit)
      t.true(next.probability <= row.probability);
  });
  const kindOf = (code: number) => toyVocabulary.codes[code]?.modality;
  t.false(completion.some(({ visit, code }) => visit === 0 && kindOf(code) === 'gap'));

  const next = rowsOf(await impute({ columns: few, task: 'next-visit', kinds: ['dx'], top: 2 }));
  t.deepEqual(
    next.map(({ patient, visit }) => [patient, visit]),
    [0, 1, 2, 3, 4].flatMap((p) => {
      const visit = (few.visitOffsets[p + 1] as number) - (few.visitOffsets[p] as number);
      return [
        [p, visit],
        [p, visit],
      ];
    }),
  );
  t.true(next.every(({ code }) => kindOf(code) === 'dx'));
});

test.serial('one kind from the others: its own codes are not looked at, the others are', async (t) => {
  const ask = async (visit: number[]) => {
    const columns = columnsAsWritten([{ visits: [visit], labels: [1, 0] }]);
    const found = rowsOf(await impute({ columns, task: 'cross-modal', kinds: ['dx'] }));
    return found.map(({ code, probability }) => `${code} ${probability}`);
  };
  const one = await ask([0, 1, 5, 7]);
  t.deepEqual(await ask([2, 5, 7]), one);
  t.deepEqual(await ask([5, 7]), one);
  t.notDeepEqual(await ask([6, 7]), one);
});

test.serial(
  'facts that are told change what is found, and the same question has the same answer',
  async (t) => {
    const ask = async (level: number, age: number) => {
      const columns = {
        ...columnsAsWritten([{ visits: [[0, 5]], labels: [0, 0] }]),
        demographics: {
          sex: { kind: 'categorical' as const, levels: ['F', 'M'], values: Int32Array.of(level) },
          age: { kind: 'numeric' as const, values: Float32Array.of(age) },
        },
      };
      return impute({ columns, task: 'next-visit' });
    };
    const woman = await ask(0, 70);
    t.deepEqual(await ask(0, 70), woman);
    t.notDeepEqual(await ask(1, 70), woman);
    t.notDeepEqual(await ask(0, 20), woman);
    t.deepEqual(sampler.features, { age: 'numeric', sex: ['F', 'M'] });
  },
);

test.serial('a patient alone is told what the patient is told among others', async (t) => {
  const all = await conditional(few);
  const [first, end] = [few.visitOffsets[0] as number, few.visitOffsets[1] as number];
  const alone = await conditional(selectPatients(few, [0]));
  for (let i = first * tokenKinds.length; i < end * tokenKinds.length; i++)
    t.true(Math.abs((alone.longitudinal[i] as number) - (all.longitudinal[i] as number)) < 1e-4);
});
