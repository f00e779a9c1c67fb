import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { exportTo, hardCodes, plainCodes, randomCohort, recordsIn } from './cohorts.ts';
import { exportPlaces } from './read-back.ts';

interface Resource {
  resourceType: string;
  id: string;
  meta: { security: { code: string }[]; tag: { code: string }[] };
  subject?: { reference: string };
  encounter?: { reference: string };
  [key: string]: unknown;
}

const types = ['Patient', 'Encounter', 'Condition', 'Procedure', 'MedicationRequest', 'Observation'] as const;
const modalityOf: Record<string, string> = {
  Condition: 'dx',
  Procedure: 'px',
  MedicationRequest: 'rx',
  Observation: 'lab',
};

const readResources = async (folder: string): Promise<Record<string, Resource[]>> =>
  Object.fromEntries(
    await Promise.all(
      types.map(async (type) => {
        const text = await readFile(join(folder, `${type}.ndjson`), 'utf8');
        return [type, text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))] as const;
      }),
    ),
  );

/** Every key and value below a resource. */
function* cellsOf(value: unknown, key = ''): Generator<[key: string, value: unknown]> {
  yield [key, value];
  if (value === null || typeof value !== 'object') return;
  for (const [name, cell] of Object.entries(value)) yield* cellsOf(cell, Array.isArray(value) ? key : name);
}

for (const [name, codes] of Object.entries({ plain: plainCodes, hard: hardCodes }))
  test(`fhir: ${name} codes in resources of FHIR's shape, whose references are found`, async (t) => {
    for (const demographics of [true, false]) {
      const { folder, scratch } = await exportPlaces(t);
      const cohort = randomCohort(4, { patients: 20, codes, demographics, empty: true });
      await exportTo(folder, scratch, 'fhir', { cohort });
      const resources = await readResources(folder);
      const all = Object.values(resources).flat();
      const known = new Set(all.map(({ resourceType, id }) => `${resourceType}/${id}`));
      t.is(known.size, all.length, 'identifiers are unique in a type');
      for (const [type, own] of Object.entries(resources))
        for (const resource of own) {
          t.is(resource.resourceType, type);
          t.regex(resource.id, /^[A-Za-z0-9.-]{1,64}$/);
          t.is(resource.meta.security[0]?.code, 'HTEST');
          t.is(resource.meta.tag[0]?.code, 'SYNTHETIC');
          for (const reference of [resource.subject, resource.encounter])
            if (reference) t.true(known.has(reference.reference), reference.reference);
          for (const [key, value] of cellsOf(resource)) {
            t.not(value, null, `${type}.${key}`);
            t.not(value, '', `${type}.${key}`);
            if (Array.isArray(value)) t.true(value.length > 0, `${type}.${key}`);
            if (/DateTime$|^(start|end|authoredOn|recordedDate)$/.test(key))
              t.regex(String(value), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
            if (key === 'birthDate') t.regex(String(value), /^\d{4}-\d\d-\d\d$/);
          }
        }
      t.is(resources['Patient']?.filter(({ birthDate }) => birthDate).length, demographics ? 16 : 0);
    }
  });

test('fhir: visits and codes are those of the cohort, ICD codes with their dot, numbers of lab tests beside them', async (t) => {
  const { folder, scratch } = await exportPlaces(t);
  const cohort = randomCohort(6, { patients: 30, codes: plainCodes });
  await exportTo(folder, scratch, 'fhir', { cohort });
  const resources = await readResources(folder);
  const records = new Map(
    (resources['Patient'] ?? []).map(({ id }) => [`Patient/${id}`, new Map<string, string[]>()]),
  );
  for (const { id, subject } of resources['Encounter'] ?? [])
    records.get(subject?.reference ?? '')?.set(`Encounter/${id}`, []);
  for (const [type, modality] of Object.entries(modalityOf))
    for (const { subject, encounter, ...resource } of resources[type] ?? []) {
      const { coding } = (resource['code'] ?? resource['medicationCodeableConcept']) as {
        coding: { system: string; code: string }[];
      };
      const [{ system, code } = { system: '', code: '' }] = coding;
      const bare = system.startsWith('http://hl7.org/fhir/sid/') ? code.replace('.', '') : code;
      records
        .get(subject?.reference ?? '')
        ?.get(encounter?.reference ?? '')
        ?.push(`${modality}:${bare}`);
    }
  t.deepEqual(
    [...records.values()].map((visits) => [...visits.values()].map((visit) => visit.sort())),
    recordsIn(cohort),
  );
  const dotted = JSON.stringify(resources['Condition']);
  for (const code of ['038.9', 'V45.81', '428.0']) t.true(dotted.includes(`"code":"${code}"`), code);
  const gaps = new Set(cohort.vocabulary.codes.flatMap(({ modality }, i) => (modality === 'gap' ? [i] : [])));
  const sampled = [...(cohort.values ?? [])].filter(
    (value, i) => !Number.isNaN(value) && !gaps.has(cohort.codes[i] as number),
  );
  const written = (resources['Observation'] ?? []).flatMap(({ valueQuantity }) =>
    valueQuantity ? [(valueQuantity as { value: number }).value] : [],
  );
  t.deepEqual(written.map(Math.fround).sort(), sampled.sort());
});
