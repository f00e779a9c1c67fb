import { z } from 'zod';
import type { FittedModel, Fitting, Generator } from '../pipelines/generation/generator.ts';
import { generatorConfig } from '../pipelines/generation/generator.ts';
import { type LearningCurve, learningCurve, recordStep } from '../pipelines/generation/learning-curve.ts';
import { readModel, writeModel } from '../pipelines/generation/model-file.ts';
import { subsetSize, trainingData, trainingSubset } from '../pipelines/generation/training-data.ts';
import { generatorFile, generatorNamed, generators } from '../pipelines/generators/registry.ts';
import type { Checkpointable, Saved, Saving } from '../pipelines/kernel/checkpointable.ts';
import { patientCount, type VisitColumns } from '../pipelines/patients/visit-columns.ts';
import { readTokenCohort } from '../pipelines/tokens/token-cohort-file.ts';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { StageError } from '../schemas/errors.ts';
import type { Progress } from '../schemas/progress.ts';
import type { StageParams } from '../schemas/stage.ts';
import { cohortName, train as contract } from '../schemas/stages/train.ts';
import type { OpenArtifact } from '../schemas/store.ts';
import { defineBody } from './stage-body.ts';

/** A fitting with its learning curve: together they are what a checkpoint holds. */
class Training implements Checkpointable {
  readonly #fitting: Fitting;
  curve: LearningCurve = [];

  constructor(fitting: Fitting) {
    this.#fitting = fitting;
  }
  async save(): Promise<Saving> {
    const { arrays, json } = await this.#fitting.save();
    return { arrays, json: { fitting: json, curve: this.curve } };
  }
  async load({ arrays, json }: Saved): Promise<void> {
    const { fitting, curve } = z
      .object({ fitting: z.record(z.string(), z.unknown()), curve: learningCurve })
      .parse(json);
    await this.#fitting.load({ arrays, json: fitting });
    this.curve = curve;
  }
}

/**
 * The patients that the generator is trained on, and their entry in the model's card where they are not all.
 */
const learned = ({ generator, patients, seed }: StageParams<typeof contract>, whole: VisitColumns) => {
  if (patients === undefined) return { train: whole };
  const of = patientCount(whole);
  const subset = { name: cohortName(generator, patients), patients: subsetSize(patients, of), of };
  return { train: trainingSubset(whole, subset.patients, seed), subset };
};

/** The model that training starts from, where one is given. Throws InvalidConfig where it cannot be. */
const startOf = async (
  { name, fitFrom }: Generator,
  [ref, ...others]: readonly ArtifactRef[],
  open: (ref: ArtifactRef) => Promise<OpenArtifact>,
): Promise<FittedModel | undefined> => {
  if (!ref) return undefined;
  if (others.length > 0 || !fitFrom)
    throw new StageError(
      'InvalidConfig',
      `input from of train: ${name} starts from ${fitFrom ? 'one model' : 'none'}, found ${others.length + 1}`,
    );
  const { card, vocabulary, weights } = await readModel(await open(ref));
  if (card.generator !== name)
    throw new StageError(
      'InvalidConfig',
      `input from of train: a model of ${name} expected, found ${card.generator}`,
    );
  return { saved: await weights(), vocabulary };
};

/** Calibration samples from the model, in rounds: it costs what has nothing to do with a step of learning. */
const parts = ['learning', 'calibration'];
const learning = (step: number, of: number): Progress['part'] => ({
  names: parts,
  index: 0,
  share: step / of,
});
const calibration: Progress['part'] = { names: parts, index: 1, share: 0 };

/** Token cohort to model: `weights.safetensors`, `model.json`, `vocabulary.json`, `curve.json`. */
export const train = defineBody(contract, {
  code: import.meta.url,
  codeOf: ({ generator }) => (generators.has(generator) ? [generatorFile(generator)] : []),
  async *run({ params, inputs }, { open, draft, resume, log }) {
    const generator = generatorNamed(params.generator);
    const config = generatorConfig(generator, params.config);
    const whole = trainingData(await readTokenCohort(await open(inputs.cohort)));
    const { vocabulary } = whole;
    const { train, subset } = learned(params, whole.train);
    const start = await startOf(generator, inputs.from, open);
    const data = { ...whole, train };
    const fitting =
      start && generator.fitFrom
        ? await generator.fitFrom(start, data, config, params.seed)
        : await generator.fit(data, config, params.seed);
    try {
      log.info(fitting.facts, `fitting ${generator.name}`);
      const training = new Training(fitting);
      let step = await resume(training);
      while (!fitting.finished) {
        const report = await fitting.step();
        const { loss, epoch, validationLoss, fold } = report;
        step++;
        if (![loss, validationLoss ?? 0].every(Number.isFinite))
          throw new StageError(
            'Diverged',
            `${generator.name}: the loss is ${loss} at step ${step}, epoch ${epoch}`,
          );
        recordStep(training.curve, step, report);
        const metrics = { loss, ...(validationLoss !== undefined && { validationLoss }) };
        yield {
          step,
          of: fitting.steps,
          phase: [`epoch ${epoch}`, fold].filter(Boolean).join(', '),
          metrics,
          part: learning(step, fitting.steps),
        };
      }
      yield { step, of: fitting.steps, phase: 'calibration', part: calibration };
      const saved = await fitting.model();
      const card = {
        generator: generator.name,
        version: generator.version,
        config: params.config,
        settings: fitting.settings,
        seed: params.seed,
        subset,
        parameters: Number(fitting.facts['parameters'] ?? 0),
      };
      await writeModel(draft, { card, vocabulary, curve: training.curve, saved });
      const best = training.curve.reduce(
        (lowest, { validationLoss }) => Math.min(lowest, validationLoss ?? lowest),
        Number.POSITIVE_INFINITY,
      );
      return {
        generator: generator.name,
        ...(subset && { trainingPatients: subset.patients }),
        steps: step,
        ...(Number.isFinite(best) && { validationLoss: best }),
        ...fitting.facts,
      };
    } finally {
      fitting.dispose();
    }
  },
});
