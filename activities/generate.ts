import { patientsIn, visitCount } from '../pipelines/cohort/visit-columns.ts';
import { GeneratedPatients } from '../pipelines/generated-patients.ts';
import { generatorFile, generators } from '../pipelines/registry.ts';
import { readTokenCohort, writeTokenCohort } from '../pipelines/tokens/token-cohort-file.ts';
import { splits } from '../schemas/ehr.ts';
import { generate as contract } from '../schemas/stages/generate.ts';
import { openSampler } from './open-sampler.ts';
import { defineBody } from './stage-body.ts';

/** Model to synthetic token cohort, as many patients as the training split has unless told otherwise. */
export const generate = defineBody(contract, {
  code: import.meta.url,
  // Which generator it is stands in the model, which the cache key has by its digest only: so all count.
  codeOf: () => [...generators.keys()].map(generatorFile),
  async *run({ params, inputs }, { open, draft, resume }) {
    const cohort = await readTokenCohort(await open(inputs.cohort));
    const { vocabulary } = cohort;
    const count = params.patients ?? patientsIn(cohort, splits.indexOf('train')).length;
    const { generator, sampler } = await openSampler(await open(inputs.model), vocabulary);
    try {
      const block = sampler.block ?? 1;
      const batch = Math.ceil(params.batch / block) * block;
      const generated = new GeneratedPatients();
      await resume(generated);
      while (generated.count < count) {
        const first = generated.count;
        const request = { first, count: Math.min(batch, count - first), seed: params.seed };
        generated.append(await sampler.sample(request));
        yield { step: generated.count, of: count, phase: 'sampling' };
      }
      const { columns } = generated;
      await writeTokenCohort(draft, { ...columns, vocabulary, generator });
      return { patients: count, visits: visitCount(columns), codes: columns.codes.length };
    } finally {
      sampler.dispose();
    }
  },
});
