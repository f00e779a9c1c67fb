import { literal } from '../../../kernel/duckdb.ts';
import { stageCodeNames } from '../code-names.ts';
import { markText } from '../companions.ts';
import { column, defineLayout, type LayoutFile } from '../layout.ts';

/**
 * Addresses of code systems, as FHIR's terminology lists them. ICD-9-CM has one for diagnoses and procedures.
 */
const systems: Readonly<Record<string, string>> = {
  ICD9CM: 'http://hl7.org/fhir/sid/icd-9-cm',
  ICD9Proc: 'http://hl7.org/fhir/sid/icd-9-cm',
  ICD10CM: 'http://hl7.org/fhir/sid/icd-10-cm',
  ICD10PCS: 'http://www.cms.gov/Medicare/Coding/ICD10',
  CPT4: 'http://www.ama-assn.org/go/cpt',
  HCPCS: 'http://terminology.hl7.org/CodeSystem/HCPCS-all-codes',
  RxNorm: 'http://www.nlm.nih.gov/research/umls/rxnorm',
  NDC: 'http://hl7.org/fhir/sid/ndc',
  ATC: 'http://www.whocc.no/atc',
  LOINC: 'http://loinc.org',
};

/** Stands in every resource: test data by FHIR's own security label, and what it is in words. */
const meta = `{security: [{system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code: 'HTEST',
  display: 'test health data'}], tag: [{system: 'urn:understudy:mark', code: 'SYNTHETIC', display: ${literal(markText)}}]}`;

/**
 * JSON of a struct without the keys that have no value, which FHIR does not allow; arrays are left as they
 * are.
 */
const resource = (fields: string): string => `json_merge_patch('{}'::JSON, to_json({${fields}}))`;

const instant = (time: string): string => `strftime(${time}, '%Y-%m-%dT%H:%M:%SZ')`;
const reference = (type: string, id: string): string => `{reference: '${type}/' || ${id}}`;
const subject = reference('Patient', 'p.subject_id');
const encounter = reference('Encounter', 'v.hadm_id');

const systemSql = `CASE n.system ${Object.entries(systems)
  .map(([name, address]) => `WHEN ${literal(name)} THEN ${literal(address)}`)
  .join(' ')} ELSE 'urn:understudy:' || e.modality END`;
/** A `code` of FHIR has no blanks but single ones inside; other texts are in `text` alone. */
const isCode = String.raw`regexp_full_match(n.dotted, '[^\s]+( [^\s]+)*')`;
/** A CodeableConcept: the code in its system, and the title or else the code as text. */
const concept = `CASE WHEN ${isCode}
  THEN {coding: [${resource(`system: ${systemSql}, code: n.dotted, display: e.title`)}], text: coalesce(e.title, e.code)}
  ELSE {coding: NULL, text: coalesce(e.title, e.code)} END`;

const status = (kind: string, code: string): string =>
  `{coding: [{system: 'http://terminology.hl7.org/CodeSystem/condition-${kind}', code: '${code}'}]}`;

const lines = (type: string, fields: string, from: string): LayoutFile => ({
  path: `${type}.ndjson`,
  format: 'lines',
  columns: [column('resource', 'VARCHAR', `a ${type} of FHIR R4 as JSON, one per line`)],
  sql: `SELECT CAST(${resource(`resourceType: '${type}', ${fields}`)} AS VARCHAR) AS resource ${from}`,
});

const eventId = `e.modality || '-' || e.visit || '-' || e.seq`;
const events = (modality: string): string =>
  `FROM events e JOIN visits v USING (visit) JOIN patients p ON p.patient = e.patient
   JOIN code_names n ON n.modality = e.modality AND n.code = e.code
   WHERE e.modality = '${modality}' ORDER BY e.visit, e.seq`;

const patients = lines(
  'Patient',
  `id: CAST(p.subject_id AS VARCHAR), meta: ${meta},
   identifier: [{system: 'urn:understudy:subject', value: CAST(p.subject_id AS VARCHAR)}],
   gender: CASE p.sex WHEN 'F' THEN 'female' WHEN 'M' THEN 'male' ELSE 'unknown' END,
   birthDate: strftime(p.birth, '%Y-%m-%d'), deceasedDateTime: ${instant('p.death')},
   maritalStatus: CASE WHEN p.marital_status IS NOT NULL THEN {text: p.marital_status} END,
   communication: CASE WHEN p.language IS NOT NULL THEN [{language: {text: p.language}}] END`,
  'FROM patients p ORDER BY p.subject_id',
);

const encounters = lines(
  'Encounter',
  `id: CAST(v.hadm_id AS VARCHAR), meta: ${meta}, status: 'finished',
   class: {system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'IMP', display: 'inpatient encounter'},
   type: CASE WHEN v.admission_type IS NOT NULL THEN [{text: v.admission_type}] END, subject: ${subject},
   period: {start: ${instant('v.admitted')}, "end": ${instant('v.discharged')}}`,
  'FROM visits v JOIN patients p USING (patient) ORDER BY v.visit',
);

const conditions = lines(
  'Condition',
  `id: ${eventId}, meta: ${meta}, verificationStatus: ${status('ver-status', 'unconfirmed')},
   category: [{coding: [{system: 'http://terminology.hl7.org/CodeSystem/condition-category',
     code: 'encounter-diagnosis'}]}], code: ${concept}, subject: ${subject}, encounter: ${encounter},
   recordedDate: ${instant('e.time')}`,
  events('dx'),
);

const procedures = lines(
  'Procedure',
  `id: ${eventId}, meta: ${meta}, status: 'completed', code: ${concept}, subject: ${subject}, encounter: ${encounter},
   performedDateTime: ${instant('e.time')}`,
  events('px'),
);

const requests = lines(
  'MedicationRequest',
  `id: ${eventId}, meta: ${meta}, status: 'completed', intent: 'order', medicationCodeableConcept: ${concept},
   subject: ${subject}, encounter: ${encounter}, authoredOn: ${instant('e.time')}`,
  events('rx'),
);

const observations = lines(
  'Observation',
  `id: ${eventId}, meta: ${meta}, status: 'final',
   category: [{coding: [{system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'laboratory'}]}],
   code: ${concept}, subject: ${subject}, encounter: ${encounter}, effectiveDateTime: ${instant('e.time')},
   valueQuantity: CASE WHEN e.value IS NOT NULL THEN {value: e.value, unit: e.unit} END,
   dataAbsentReason: CASE WHEN e.value IS NULL THEN {coding: [
     {system: 'http://terminology.hl7.org/CodeSystem/data-absent-reason', code: 'unknown'}]} END`,
  events('lab'),
);

/**
 * Bulk data as FHIR R4 has it: a file per type, a resource per line. Source: hl7.org/fhir/R4, resource pages.
 */
export default defineLayout({
  name: 'fhir',
  title: 'FHIR R4 resources, NDJSON',
  reader: 'FHIR servers with a bulk import, and pandas',
  formats: [],
  loses: ['labels, ethnicity and insurance'],
  invents: ['Every encounter is an inpatient one, finished; no diagnosis is confirmed.'],
  example: () => [
    'import pandas as pd',
    "patients = pd.read_json('Patient.ndjson', lines=True, dtype={'id': str})",
    "conditions = pd.read_json('Condition.ndjson', lines=True)",
    "print(patients['gender'].value_counts())",
    "print(conditions['code'].str['text'].value_counts().head(10))",
  ],
  files: async ({ database }) => {
    await stageCodeNames(database);
    return [patients, encounters, conditions, procedures, requests, observations];
  },
});
