import promptehr from '../pipelines/generators/promptehr.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../pipelines/patients/visit-columns.ts';
import type { Modality } from '../schemas/ehr.ts';
import { firstCode, kinds, patientsOf } from './promptehr-batch.ts';
import type { StepTime } from './promptehr-peer.ts';

const modalities: readonly Modality[] = ['dx', 'px', 'rx'];

/** The bench's patients as a run has them, with the three facts that the peer is prompted by. */
const columnsOf = (count: number, seed: number): VisitColumns => {
  const builder = new VisitColumnsBuilder();
  for (const visits of patientsOf(count, seed))
    builder.addPatient(
      visits.map((spans) => spans.flatMap((span) => span.map((token) => token - firstCode))),
      [],
    );
  const each = (value: (patient: number) => number) => Array.from({ length: count }, (_, i) => value(i));
  const levels = (size: number) => ({
    kind: 'categorical' as const,
    levels: Array.from({ length: size }, (_, level) => `${level}`),
    values: Int32Array.from(each((i) => i % size)),
  });
  return {
    ...builder.build(),
    demographics: {
      age: { kind: 'numeric', values: Float32Array.from(each((i) => 20 + ((i * 37) % 70))) },
      sex: levels(2),
      ethnicity: levels(5),
    },
  };
};

/**
 * Mean times of `steps` steps of a real training by the paper's settings, which is all of its tasks on batches of 16
 * visits of similar length, after one that is not counted. `small` is for trying it out.
 */
export const timeFitting = async (
  precision: 'float32' | 'bfloat16',
  steps: number,
  small: boolean,
  processor: () => number,
): Promise<StepTime> => {
  const tiny = { width: 64, encoderLayers: 2, decoderLayers: 2, attentionHeads: 4, feed: 256 };
  const config = promptehr.config.parse({ preset: 'paper', tied: false, precision, ...(small && tiny) });
  const data = {
    vocabulary: {
      codes: kinds.flatMap(({ codes }, kind) =>
        Array.from({ length: codes }, (_, code) => ({
          modality: modalities[kind] as Modality,
          code: `${code}`,
        })),
      ),
      labels: [],
    },
    train: columnsOf(16 * (steps + 1), 5),
    validation: columnsOf(16, 6),
  };
  const fitting = await promptehr.fit(data, config, 1);
  try {
    const taken: StepTime[] = [];
    for (let step = 0; step <= steps; step++) {
      const [wall, start] = [performance.now(), processor()];
      await fitting.step();
      taken.push({ wall: (performance.now() - wall) / 1000, processor: processor() - start });
    }
    const mean = (key: keyof StepTime) => taken.slice(1).reduce((sum, time) => sum + time[key], 0) / steps;
    return { wall: mean('wall'), processor: mean('processor') };
  } finally {
    fitting.dispose();
  }
};
