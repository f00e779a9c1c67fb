import { copiedCodes } from '../pipelines/generation/copied-codes.ts';
import { finishCohort } from '../pipelines/generation/finish-cohort.ts';
import { GeneratedPatients } from '../pipelines/generation/generated-patients.ts';
import { checkTrainedOn, cohortNameOf, readModel } from '../pipelines/generation/model-file.ts';
import { sampleRequests } from '../pipelines/generation/sample-requests.ts';
import { learnedFrom, splitColumns } from '../pipelines/generation/training-data.ts';
import { generatorFile, generatorNamed, generators, openModel } from '../pipelines/generators/registry.ts';
import { patientCount, visitCount } from '../pipelines/patients/visit-columns.ts';
import { readTokenCohort, writeTokenCohort } from '../pipelines/tokens/token-cohort-file.ts';
import { generate as contract } from '../schemas/stages/generate.ts';
import { defineBody } from './stage-body.ts';

/** Patients between two safe points, for a generator that samples them one by one. */
const unblocked = 256;

/** Model to synthetic token cohort, by default as many patients as the training split has. */
export const generate = defineBody(contract, {
  code: import.meta.url,
  // Which generator it is stands in the model, which the cache key has by its digest only: so all count.
  codeOf: () => [...generators.keys()].map(generatorFile),
  async *run({ params, inputs }, { open, draft, resume }) {
    const cohort = await readTokenCohort(await open(inputs.cohort));
    const { vocabulary } = cohort;
    const whole = splitColumns(cohort, 'train');
    const count = params.patients ?? patientCount(whole);
    const model = await readModel(await open(inputs.model));
    checkTrainedOn(model, vocabulary);
    const { card } = model;
    const sampler = await openModel(model);
    const training = learnedFrom(card, whole);
    try {
      const requestAt = sampleRequests(generatorNamed(card.generator), params, cohort, training);
      const { block = 1 } = sampler;
      const batch = Math.ceil((params.batch ?? sampler.block ?? unblocked) / block) * block;
      const generated = new GeneratedPatients();
      await resume(generated);
      while (generated.count < count) {
        const first = generated.count;
        generated.append(await sampler.sample(requestAt(first, Math.min(batch, count - first))));
        yield { step: generated.count, of: count, phase: 'sampling' };
      }
      const { columns, changed, summary } = finishCohort(generated.columns, vocabulary, params);
      const { fraction, byChance } = copiedCodes(columns, training, vocabulary.codes.length);
      const origin = {
        seedMode: params.seedMode,
        copiedCodeFraction: fraction,
        copiedByChance: byChance,
      };
      const generator = cohortNameOf(card);
      await writeTokenCohort(draft, { ...columns, vocabulary, generator }, { origin, changed });
      return {
        patients: count,
        visits: visitCount(columns),
        codes: columns.codes.length,
        ...origin,
        ...summary,
      };
    } finally {
      sampler.dispose();
    }
  },
});
