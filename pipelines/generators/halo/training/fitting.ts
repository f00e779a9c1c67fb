import { StageError } from '../../../../schemas/errors.ts';
import { calibrate, logitShifts } from '../../../generation/calibration.ts';
import type { Fitting, TrainingData } from '../../../generation/generator.ts';
import { groupsOf } from '../../../generation/record-sampler.ts';
import { layoutOf } from '../../../generation/record-sets.ts';
import type { Saved } from '../../../kernel/checkpointable.ts';
import { RandomSource } from '../../../kernel/random.ts';
import { openOps } from '../../../nn/ops/open-ops.ts';
import { cutInto, shuffledBatches } from '../../../nn/training/batches.ts';
import { EpochTrainer, isSteered } from '../../../nn/training/epoch-trainer.ts';
import { patientCount, type VisitColumns, visitsOf, withVisits } from '../../../patients/visit-columns.ts';
import type { Architecture } from '../network/architecture.ts';
import { packPatients } from '../network/batch.ts';
import { HaloNetwork } from '../network/network.ts';
import { toReference } from '../network/weight-layout.ts';
import { haloSampler, samplingColumns } from '../sampling/sampler.ts';
import { architectureOf, type HaloConfig, resolveHalo } from './config.ts';
import { initialValues } from './initial-weights.ts';
import { adviceOf, memoryNeed } from './memory-need.ts';
import { type HaloStart, placedLike, sizedLike } from './warm-weights.ts';

/** Settings and architecture, those of the model that training starts from where there is one. */
const sizedFor = (data: TrainingData, config: HaloConfig, start: HaloStart | undefined) => {
  const settings = resolveHalo(start ? sizedLike(config, start) : config, data.train);
  const architecture = architectureOf(settings, data.vocabulary);
  return start ? placedLike(settings, architecture, start) : { settings, architecture };
};

/** The sampler of a model in the reference's tensors. */
export const openHalo = async (
  architecture: Architecture,
  model: Saved,
  vocabulary: TrainingData['vocabulary'],
) => {
  const ops = await openOps();
  const network = await HaloNetwork.fromReference(ops, architecture, samplingColumns, model.arrays);
  return haloSampler(network, groupsOf(vocabulary));
};

const outputBias = 'ehr_head.auto2.bias';

/**
 * HALO in training, from fresh weights or those of `start`. One step is one batch of patients. Throws TooFewPatients when no
 * training patient has a visit, OutOfMemory when what a training of this size needs is not free.
 */
export const fitHalo = async (
  data: TrainingData,
  config: HaloConfig,
  seed: number,
  start?: HaloStart,
): Promise<Fitting> => {
  const { train, validation, vocabulary } = data;
  const patients = withVisits(train);
  if (patients.length === 0)
    throw new StageError('TooFewPatients', 'halo: the training split has no patient with a visit');
  const { settings, architecture } = sizedFor(data, config, start);
  const { batch, blockColumns, maxVisits, calibration: rounds } = settings;
  const scale = {
    normalization: settings.lossNormalization,
    positiveWeight: settings.positiveWeight,
    maxVisits,
  };
  const layout = layoutOf(architecture);
  const batchesOf = shuffledBatches(patients, batch, new RandomSource(seed, 'order'));
  const pack = (columns: VisitColumns, items: Int32Array) => packPatients(layout, columns, items, maxVisits);
  const validated = withVisits(validation);
  const need = memoryNeed(architecture, settings, train, batchesOf(0), isSteered(validated.length));
  return EpochTrainer.start<HaloNetwork>({
    name: 'halo',
    settings: { ...settings },
    facts: (network) => ({
      parameters: network.parameters,
      visitsCut: cutVisits(train, maxVisits),
      patientsWithoutVisits: patientCount(train) - patients.length,
    }),
    memory: { need, advice: adviceOf(settings), limitGib: config.memoryGib },
    open: async () => {
      const ops = await openOps();
      if (start) return HaloNetwork.fromReference(ops, architecture, blockColumns, start.arrays);
      const initial = initialValues(architecture, new RandomSource(seed, 'weights'), train, settings.start);
      return HaloNetwork.build(ops, architecture, blockColumns, (part) => ({ value: initial(part) }));
    },
    rebuild: ({ ops }, initial) => HaloNetwork.build(ops, architecture, blockColumns, initial),
    batchesOf,
    learn: (network, items, { update }) => network.learn(pack(train, items), scale, update),
    validation: { patients: validated.length, batches: cutInto(validated, batch) },
    loss: (network, items) => network.loss(pack(validation, items), scale),
    fitted: async ({ weights, pace }, weightsOf) => ({
      arrays: await toReference(architecture, weights, ({ name }) => weightsOf(name), pace),
      json: { architecture },
    }),
    calibrate: (fitted) =>
      calibrate(fitted, {
        rounds,
        // A share of few training patients is known no better than from some thousand sampled ones.
        patients: Math.min(4096, Math.max(1024, patients.length)),
        seed,
        open: (current) => openHalo(architecture, current, vocabulary),
        shiftsOf: (sampled) => {
          // The bias of column c stands one place before the column's own: see Weight.
          const shifts = new Float64Array(architecture.embedding - 1 + layout.width);
          shifts.set(logitShifts(layout, train, sampled), architecture.embedding - 1);
          return { [outputBias]: shifts };
        },
      }),
  });
};

/** Visits beyond `maxVisits`, which nothing is learned from. */
const cutVisits = (columns: VisitColumns, maxVisits: number): number =>
  withVisits(columns).reduce((cut, patient) => cut + Math.max(0, visitsOf(columns, patient) - maxVisits), 0);
