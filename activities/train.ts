import { z } from 'zod';
import type { Checkpointable, Saved, Saving } from '../pipelines/checkpointable.ts';
import { patientCount, type VisitColumns } from '../pipelines/cohort/visit-columns.ts';
import type { Fitting } from '../pipelines/generator.ts';
import { type LearningCurve, learningCurve, recordStep } from '../pipelines/learning-curve.ts';
import {
  generatorConfig,
  generatorNamed,
  type modelCard,
  vocabularyDigest,
} from '../pipelines/model-card.ts';
import { generatorFile, generators } from '../pipelines/registry.ts';
import { encodeInTurns } from '../pipelines/safetensors.ts';
import { readTokenCohort } from '../pipelines/tokens/token-cohort-file.ts';
import { subsetSize, trainingData, trainingSubset } from '../pipelines/tokens/training-data.ts';
import { StageError } from '../schemas/errors.ts';
import type { StageParams } from '../schemas/stage.ts';
import { cohortName, train as contract } from '../schemas/stages/train.ts';
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

/** Whom the generator learns from, and what the model's card says of it where these are not all. */
const learned = ({ generator, patients, seed }: StageParams<typeof contract>, whole: VisitColumns) => {
  if (patients === undefined) return { train: whole };
  const of = patientCount(whole);
  const subset = { name: cohortName(generator, patients), patients: subsetSize(patients, of), of };
  return { train: trainingSubset(whole, subset.patients, seed), subset };
};

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
    const fitting = await generator.fit({ ...whole, train }, config, params.seed);
    try {
      log.info(fitting.facts, `fitting ${generator.name}`);
      const training = new Training(fitting);
      let step = await resume(training);
      while (!fitting.finished) {
        const report = await fitting.step();
        const { loss, epoch, validationLoss } = report;
        step++;
        if (![loss, validationLoss ?? 0].every(Number.isFinite))
          throw new StageError(
            'Diverged',
            `${generator.name}: the loss is ${loss} at step ${step}, epoch ${epoch}`,
          );
        recordStep(training.curve, step, report);
        const metrics = { loss, ...(validationLoss !== undefined && { validationLoss }) };
        yield { step, of: fitting.steps, phase: `epoch ${epoch}`, metrics };
      }
      const card: z.output<typeof modelCard> = {
        generator: generator.name,
        version: generator.version,
        config: params.config,
        settings: z.record(z.string(), z.json()).parse(fitting.settings),
        seed: params.seed,
        ...(subset && { subset }),
        vocabulary: vocabularyDigest(vocabulary),
        tokens: vocabulary.codes.length,
        ...(vocabulary.order && { order: vocabulary.order }),
        parameters: Number(fitting.facts['parameters'] ?? 0),
      };
      await draft.write('weights.safetensors', await encodeInTurns(fitting.model()));
      await draft.write('model.json', `${JSON.stringify(card, null, 2)}\n`);
      await draft.write('vocabulary.json', `${JSON.stringify(vocabulary)}\n`);
      await draft.write('curve.json', `${JSON.stringify(training.curve)}\n`);
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
