import type { Check, SourceColumn, SourceLayout } from './layout.ts';

const must = (from: string, read: SourceColumn['read']): SourceColumn => ({ from, read, need: 'must' });
const valid = (from: string, read: SourceColumn['read']): SourceColumn => ({ from, read, need: 'valid' });
const may = (from: string, read: SourceColumn['read']): SourceColumn => ({ from, read, need: 'may' });

const subject = { subject_id: must('subject_id', 'id') };
const stay = { ...subject, hadm_id: must('hadm_id', 'id') };

const ofPatient: Check = {
  reason: 'unknown-patient',
  when: 'patients.subject_id IS NULL',
  detail: 'column subject_id is not in PATIENTS',
};
const ofAdmission: readonly Check[] = [
  ofPatient,
  {
    reason: 'unknown-admission',
    when: 'hadm_id IS NOT NULL AND admissions.hadm_id IS NULL',
    detail: 'column hadm_id is not in ADMISSIONS',
  },
  {
    reason: 'wrong-patient',
    when: 'admissions.subject_id <> subject_id',
    detail: 'columns subject_id and hadm_id disagree with ADMISSIONS',
  },
];
const linked = { refersTo: ['patients', 'admissions'], checks: ofAdmission } as const;

const codes = { ...stay, sequence: may('seq_num', 'id'), code: must('icd9_code', 'code') };
const untitled = (titles: string) =>
  ({
    kind: 'untitled-code',
    when: `(SELECT count(*) > 0 FROM ${titles}) AND code NOT IN (SELECT code FROM ${titles})`,
  }) as const;
const titled = { code: must('icd9_code', 'code'), title: may('long_title', 'text') };

/** MIMIC-III 1.4, full release or demo. Johnson et al. 2016, Scientific Data 3:160035. */
export const mimicIii: SourceLayout = {
  name: 'mimic-iii',
  tables: [
    { source: 'D_ICD_DIAGNOSES', target: 'diagnosis_titles', columns: titled, key: ['code'] },
    { source: 'D_ICD_PROCEDURES', target: 'procedure_titles', columns: titled, key: ['code'] },
    {
      source: 'D_LABITEMS',
      target: 'lab_items',
      columns: {
        item_id: must('itemid', 'id'),
        label: may('label', 'text'),
        fluid: may('fluid', 'text'),
        category: may('category', 'text'),
        loinc_code: may('loinc_code', 'text'),
      },
      key: ['item_id'],
    },
    {
      source: 'PATIENTS',
      target: 'patients',
      columns: {
        ...subject,
        sex: may('gender', 'sex'),
        birth_time: may('dob', 'time'),
        death_time: may('dod', 'time'),
      },
      key: ['subject_id'],
      needsRows: true,
      checks: [
        {
          reason: 'death-before-birth',
          when: 'death_time::DATE < birth_time::DATE',
          detail: 'column dod is before column dob',
        },
      ],
      notes: [
        { kind: 'no-birth-time', when: 'birth_time IS NULL' },
        { kind: 'no-sex', when: 'sex IS NULL' },
      ],
    },
    {
      source: 'ADMISSIONS',
      target: 'admissions',
      columns: {
        ...stay,
        admit_time: must('admittime', 'time'),
        discharge_time: may('dischtime', 'time'),
        death_time: may('deathtime', 'time'),
        admission_type: may('admission_type', 'text'),
        insurance: may('insurance', 'text'),
        language: may('language', 'text'),
        marital_status: may('marital_status', 'text'),
        ethnicity: may('ethnicity', 'text'),
        died_in_hospital: may('hospital_expire_flag', 'flag'),
      },
      refersTo: ['patients'],
      key: ['hadm_id'],
      needsRows: true,
      checks: [
        ofPatient,
        {
          reason: 'discharge-before-admission',
          when: 'discharge_time::DATE < admit_time::DATE',
          detail: 'column dischtime is a day before column admittime',
        },
        {
          reason: 'admission-before-birth',
          when: 'admit_time::DATE < patients.birth_time::DATE',
          detail: 'column admittime is before column dob of PATIENTS',
        },
      ],
      notes: [
        { kind: 'early-discharge', when: 'discharge_time < admit_time' },
        { kind: 'shifted-birth', when: "date_diff('year', patients.birth_time, admit_time) > 150" },
      ],
    },
    {
      source: 'DIAGNOSES_ICD',
      target: 'diagnoses',
      columns: codes,
      ...linked,
      titledBy: 'diagnosis_titles',
      repeats: ['hadm_id', 'code'],
      notes: [untitled('diagnosis_titles')],
    },
    {
      source: 'PROCEDURES_ICD',
      target: 'procedures',
      columns: codes,
      ...linked,
      titledBy: 'procedure_titles',
      repeats: ['hadm_id', 'code'],
      notes: [untitled('procedure_titles')],
    },
    {
      source: 'PRESCRIPTIONS',
      target: 'prescriptions',
      columns: {
        ...stay,
        start_time: may('startdate', 'time'),
        end_time: may('enddate', 'time'),
        drug_type: may('drug_type', 'text'),
        drug: must('drug', 'drug'),
        ndc: may('ndc', 'ndc'),
        dose: may('dose_val_rx', 'text'),
        dose_unit: may('dose_unit_rx', 'text'),
        route: may('route', 'text'),
      },
      ...linked,
      repeats: ['hadm_id', 'start_time', 'drug'],
      notes: [
        { kind: 'ends-before-start', when: 'end_time < start_time' },
        { kind: 'no-start', when: 'start_time IS NULL' },
        { kind: 'no-ndc', when: 'ndc IS NULL' },
      ],
    },
    {
      source: 'LABEVENTS',
      target: 'labs',
      columns: {
        ...subject,
        hadm_id: valid('hadm_id', 'id'),
        item_id: must('itemid', 'id'),
        time: must('charttime', 'time'),
        value: may('value', 'text'),
        number: may('valuenum', 'number'),
        unit: may('valueuom', 'text'),
        flag: may('flag', 'text'),
      },
      ...linked,
      repeats: ['subject_id', 'item_id', 'time'],
      notes: [
        { kind: 'no-admission', when: 'hadm_id IS NULL' },
        { kind: 'no-number', when: 'number IS NULL' },
        {
          kind: 'outside-admission',
          when: 'time < admissions.admit_time OR time > admissions.discharge_time',
        },
      ],
    },
    {
      source: 'ICUSTAYS',
      target: 'icu_stays',
      columns: {
        ...stay,
        icustay_id: must('icustay_id', 'id'),
        in_time: may('intime', 'time'),
        out_time: may('outtime', 'time'),
      },
      ...linked,
      key: ['icustay_id'],
      notes: [{ kind: 'ends-before-start', when: 'out_time < in_time' }],
    },
  ],
};
