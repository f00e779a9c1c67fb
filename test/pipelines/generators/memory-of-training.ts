/**
 * A program: trains a generator of the given config (HALO by default), saves it, and prints the predicted and the
 * peak memory of its process.
 */
import { startBackend } from '../../../infra/backend.ts';
import { generatorNamed } from '../../../pipelines/generators/registry.ts';
import { release } from '../../../pipelines/kernel/free-array.ts';
import { encodeInTurns } from '../../../pipelines/kernel/safetensors.ts';
import { VisitColumnsBuilder } from '../../../pipelines/patients/visit-columns.ts';

const { codes, generator: name = 'halo', visits: most = 4, ...config } = JSON.parse(process.argv[2] ?? '{}');
const cohort = (patients: number) => {
  const builder = new VisitColumnsBuilder();
  for (let patient = 0; patient < patients; patient++) {
    const visits = Array.from({ length: 1 + (patient % most) }, (_, visit) =>
      Array.from({ length: 10 }, (_, i) => (patient * 31 + visit * 7 + i * 13) % codes),
    );
    builder.addPatient(visits, [patient % 2]);
  }
  return builder.build();
};
const vocabulary = {
  codes: Array.from({ length: codes }, (_, i) => ({ modality: 'dx' as const, code: `${i}` })),
  labels: ['label'],
};

await startBackend();
const [train, validation] = [cohort(96), cohort(24)];
const before = process.memoryUsage.rss();
const data = { vocabulary, train, validation };
const generator = generatorNamed(name);
const fitting = await generator.fit(data, generator.config.parse(config), 1);
for (let step = 0; step < 3; step++) await fitting.step();
release(await encodeInTurns(await fitting.save()));
release(await encodeInTurns(await fitting.model()));
const predicted = before / 2 ** 20 + Number(fitting.facts['memoryMib']);
console.log(JSON.stringify({ predicted, peak: process.resourceUsage().maxRSS / 1024 }));
