import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { exportLayouts } from '../../../../pipelines/exchange/write/registry.ts';
import { StageError } from '../../../../schemas/errors.ts';
import { tempFolder } from '../../../helpers/temp-folder.ts';
import { read } from '../read/layouts.ts';
import { digestsOf, exportTo, hardCodes, plainCodes, randomCohort, recordsIn } from './cohorts.ts';

const places = async (t: ExecutionContext) => {
  const root = await tempFolder(t);
  const [folder, scratch] = [join(root, 'out'), join(root, 'work')];
  await mkdir(folder);
  return { root, folder, scratch };
};

const modalities = ['dx', 'px', 'rx', 'lab'] as const;

for (const format of ['parquet', 'csv'] as const)
  test(`long ${format}: any cohort comes back the same, hard texts and empty records too`, async (t) => {
    for (let seed = 0; seed < 6; seed++) {
      const { root, folder, scratch } = await places(t);
      const cohort = randomCohort(seed, {
        patients: 1 + 4 * seed,
        codes: hardCodes,
        labels: seed % 2 ? ['Sepsis', 'Gout, "chronic"'] : [],
        demographics: seed % 3 === 0,
        empty: true,
      });
      await exportTo(folder, scratch, 'long', { cohort, format });
      const found = await read(
        root,
        format === 'csv' ? join(folder, 'events.csv.gz') : folder,
        modalities,
      ).catch((error) => error);
      if (recordsIn(cohort).flat(2).length === 0) continue;
      t.deepEqual(recordsIn(found.cohort), recordsIn(cohort), `seed ${seed}`);
      t.is(found.layout, 'long-form');
      const order = found.cohort.vocabulary.labels.map((name: string) =>
        cohort.vocabulary.labels.indexOf(name),
      );
      t.is(order.length, cohort.vocabulary.labels.length);
      const width = order.length;
      const sorted = cohort.labels.map(
        (_, i) => cohort.labels[Math.floor(i / width) * width + (order[i % width] as number)] as number,
      );
      t.deepEqual(found.cohort.labels, sorted);
    }
  });

for (const [name, { formats }] of exportLayouts)
  for (const format of formats.length > 0 ? formats : [undefined])
    test(`${name} ${format ?? ''}: equal bytes in another folder, and every file in the data dictionary`, async (t) => {
      const cohort = randomCohort(5, {
        patients: 12,
        codes: plainCodes,
        labels: ['Sepsis'],
        demographics: true,
      });
      const [one, other] = [await places(t), await places(t)];
      const summary = await exportTo(one.folder, one.scratch, name, { cohort, format });
      await exportTo(other.folder, other.scratch, name, { cohort, format });
      const digests = await digestsOf(one.folder);
      t.deepEqual(await digestsOf(other.folder), digests);
      t.deepEqual(Object.keys(digests).sort(), [...summary.files].sort());
      const readme = await readFile(join(one.folder, 'README.md'), 'utf8');
      t.regex(readme, /SYNTHETIC/);
      for (const file of summary.files.slice(0, -4)) t.true(readme.includes(file), file);
    });

test('real patients are never exported', async (t) => {
  const { folder, scratch } = await places(t);
  const { generator: _, ...cohort } = randomCohort(1, { patients: 3, codes: plainCodes });
  const error = await t.throwsAsync(exportTo(folder, scratch, 'long', { cohort }), {
    instanceOf: StageError,
  });
  t.regex(error?.message ?? '', /real patients/);
});
