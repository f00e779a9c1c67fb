import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { exportLayouts } from '../../../../pipelines/exchange/write/registry.ts';
import { StageError } from '../../../../schemas/errors.ts';
import { digestsOf, exportTo, plainCodes, randomCohort } from './cohorts.ts';
import { exportPlaces } from './read-back.ts';

for (const [name, { formats }] of exportLayouts)
  for (const format of formats.length > 0 ? formats : [undefined])
    test(`${name} ${format ?? ''}: equal bytes in another folder, and every file in the data dictionary`, async (t) => {
      const cohort = randomCohort(5, {
        patients: 12,
        codes: plainCodes,
        labels: ['Sepsis'],
        demographics: true,
      });
      const [one, other] = [await exportPlaces(t), await exportPlaces(t)];
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
  const { folder, scratch } = await exportPlaces(t);
  const { generator: _, ...cohort } = randomCohort(1, { patients: 3, codes: plainCodes });
  const error = await t.throwsAsync(exportTo(folder, scratch, 'long', { cohort }), {
    instanceOf: StageError,
  });
  t.regex(error?.message ?? '', /real patients/);
});
