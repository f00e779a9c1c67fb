import test from 'ava';
import { generate } from '../../activities/generate.ts';
import { runStage } from '../../activities/stage-runner.ts';
import { train } from '../../activities/train.ts';
import { startBackend } from '../../infra/backend.ts';
import { createFileStore } from '../../infra/store/fs.ts';
import { RandomSource } from '../../pipelines/kernel/random.ts';
import {
  patientCount,
  type TokenCohort,
  VisitColumnsBuilder,
} from '../../pipelines/patients/visit-columns.ts';
import {
  readTokenCohort,
  tokenCohortHeader,
  writeTokenCohort,
} from '../../pipelines/tokens/token-cohort-file.ts';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { stages } from '../../schemas/stages/index.ts';
import type { Vocabulary } from '../../schemas/vocabulary.ts';
import { localHost } from '../helpers/local-host.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const modalities = ['dx', 'dx', 'dx', 'dx', 'dx', 'dx', 'rx', 'rx', 'rx'] as const;
const vocabulary: Vocabulary = {
  codes: modalities.map((modality, i) => ({ modality, code: `${i}` })),
  labels: ['insulin'],
};

/**
 * Women have diagnoses 0 and 1, men 2 and 3; the old have drug 6, the young drug 7; drug 8 goes with the label.
 * Diagnoses 4 and 5 are anybody's. One or two visits.
 */
const plantedCohort = (patients = 150): TokenCohort => {
  const random = new RandomSource(31, 'order');
  const uniforms = new Float64Array(16);
  const builder = new VisitColumnsBuilder();
  const [age, sex] = [new Float32Array(patients), new Int32Array(patients)];
  for (let patient = 0; patient < patients; patient++) {
    random.fill(uniforms, 0, 16, patient);
    const u = (i: number) => uniforms[i] as number;
    sex[patient] = u(0) < 0.5 ? 0 : 1;
    age[patient] = Math.round((u(1) < 0.5 ? 70 : 25) + 15 * u(2));
    const label = u(3) < 0.4 ? 1 : 0;
    const visits = Array.from({ length: u(4) < 0.5 ? 1 : 2 }, (_, visit) => [
      ...(sex[patient] === 0 ? [0, 1] : [2, 3]),
      ...[4, 5].filter((code) => u(2 * visit + code + 1) < 0.3),
      (age[patient] as number) > 50 ? 6 : 7,
      ...(label === 1 ? [8] : []),
    ]);
    builder.addPatient(visits, [label]);
  }
  return {
    ...builder.build(),
    vocabulary,
    split: Uint8Array.from({ length: patients }, (_, i) => (i % 5 === 0 ? 1 : 0)),
    demographics: {
      age: { kind: 'numeric', values: age },
      sex: { kind: 'categorical', levels: ['F', 'M'], values: sex },
    },
  };
};

const engine = 'test';
const config = {
  ...{ width: 24, encoderLayers: 1, decoderLayers: 1, attentionHeads: 2, feed: 32, promptHidden: 16 },
  ...{ learningRate: 0.01, epochs: 40, batch: 30, dropout: 0, patience: 40 },
};

test('patients asked for are as planted; cold starts copy nobody, warm ones do', async (t) => {
  await startBackend();
  const store = createFileStore(await tempFolder(t));
  const draft = await store.draft('token-cohort');
  await writeTokenCohort(draft, plantedCohort());
  const lineage = { stage: 'tokenize', version: 1, params: {}, inputs: {}, code: '', engine };
  const recorded = { at: '2026-11-21T00:00:00Z', seconds: 0, attempt: 1 };
  const cohort: ArtifactRef = await draft.commit({ lineage, summary: {}, recorded });
  const { ref: model } = await runStage(
    stages.train,
    train,
    { node: 'train', params: { generator: 'promptehr', config }, inputs: { cohort } },
    { store, engine },
    localHost(),
  );
  const drawn = async (params: object) => {
    const { ref } = await runStage(
      stages.generate,
      generate,
      { node: 'generate', params: { patients: 64, ...params }, inputs: { model, cohort } },
      { store, engine },
      localHost(),
    );
    const artifact = await store.open(ref);
    const header = tokenCohortHeader.parse(await artifact.json('token-cohort.json'));
    return { ref, header, columns: await readTokenCohort(artifact) };
  };
  /** Share of visits with a code. */
  const share = ({ columns }: Awaited<ReturnType<typeof drawn>>, code: number) =>
    columns.codes.filter((found) => found === code).length / (columns.codeOffsets.length - 1);

  const women = await drawn({ demographics: { sex: 'F' } });
  const men = await drawn({ demographics: { sex: 'M' } });
  t.true(share(women, 0) > 0.9 && share(women, 2) < 0.1, `women: ${share(women, 0)}, ${share(women, 2)}`);
  t.true(share(men, 2) > 0.9 && share(men, 0) < 0.1, `men: ${share(men, 2)}, ${share(men, 0)}`);
  const sex = women.columns.demographics?.['sex'];
  t.true(sex?.kind === 'categorical' && sex.values.every((level) => sex.levels[level] === 'F'));
  t.is(women.columns.demographics?.['age']?.values.length, 64, 'the other fact is drawn');

  const old = await drawn({ demographics: { age: 80 }, labels: { insulin: 1 } });
  const young = await drawn({ demographics: { age: 30 }, labels: { insulin: 0 } });
  t.true(share(old, 6) > 0.9 && share(old, 7) < 0.1, `old: ${share(old, 6)}, ${share(old, 7)}`);
  t.true(share(young, 7) > 0.9 && share(young, 6) < 0.1, `young: ${share(young, 7)}, ${share(young, 6)}`);
  t.true(share(old, 8) > 0.9 && share(young, 8) < 0.1, `label: ${share(old, 8)}, ${share(young, 8)}`);

  const cold = await drawn({ patients: 128 });
  const { copiedCodeFraction = 1, copiedByChance = 0 } = cold.header;
  t.is(cold.header.seedMode, 'cold');
  t.true(Math.abs(copiedCodeFraction - copiedByChance) < 0.08, `${copiedCodeFraction}, ${copiedByChance}`);
  const warm = await drawn({ patients: 128, seedMode: 'warm' });
  t.is(warm.header.seedMode, 'warm');
  t.true((warm.header.copiedCodeFraction ?? 0) > copiedByChance + 0.3, `${warm.header.copiedCodeFraction}`);
  t.is(patientCount(warm.columns), 128);

  t.deepEqual((await drawn({ patients: 128, batch: 1 })).columns, cold.columns);
  const greedy = await drawn({ patients: 128, sampling: { method: 'greedy' } });
  t.notDeepEqual(greedy.columns, cold.columns);
  await t.throwsAsync(() => drawn({ sampling: { method: 'greedy', topK: 2 } }), {
    name: 'InvalidConfig',
    message: /promptehr: sampling: .*topK/,
  });
  await t.throwsAsync(() => drawn({ demographics: { sex: 'X' } }), { message: /there are: F, M/ });
});
