/**
 * The tables of an `events` artifact: one `<name>.parquet` each, typed, whatever layout the source had.
 * Types are DuckDB's. Text is trimmed and empty text is NULL; codes stay text, so leading zeros survive.
 */
export const eventTables = {
  patients: { subject_id: 'INTEGER', sex: 'VARCHAR', birth_time: 'TIMESTAMP', death_time: 'TIMESTAMP' },
  admissions: {
    subject_id: 'INTEGER',
    hadm_id: 'INTEGER',
    admit_time: 'TIMESTAMP',
    discharge_time: 'TIMESTAMP',
    death_time: 'TIMESTAMP',
    admission_type: 'VARCHAR',
    insurance: 'VARCHAR',
    language: 'VARCHAR',
    marital_status: 'VARCHAR',
    ethnicity: 'VARCHAR',
    died_in_hospital: 'BOOLEAN',
  },
  diagnoses: { subject_id: 'INTEGER', hadm_id: 'INTEGER', sequence: 'INTEGER', code: 'VARCHAR' },
  procedures: { subject_id: 'INTEGER', hadm_id: 'INTEGER', sequence: 'INTEGER', code: 'VARCHAR' },
  prescriptions: {
    subject_id: 'INTEGER',
    hadm_id: 'INTEGER',
    start_time: 'TIMESTAMP',
    end_time: 'TIMESTAMP',
    drug_type: 'VARCHAR',
    drug: 'VARCHAR',
    ndc: 'VARCHAR',
    dose: 'VARCHAR',
    dose_unit: 'VARCHAR',
    route: 'VARCHAR',
  },
  labs: {
    subject_id: 'INTEGER',
    hadm_id: 'INTEGER',
    item_id: 'INTEGER',
    time: 'TIMESTAMP',
    value: 'VARCHAR',
    number: 'DOUBLE',
    unit: 'VARCHAR',
    flag: 'VARCHAR',
  },
  icu_stays: {
    subject_id: 'INTEGER',
    hadm_id: 'INTEGER',
    icustay_id: 'INTEGER',
    in_time: 'TIMESTAMP',
    out_time: 'TIMESTAMP',
  },
  diagnosis_titles: { code: 'VARCHAR', title: 'VARCHAR' },
  procedure_titles: { code: 'VARCHAR', title: 'VARCHAR' },
  lab_items: {
    item_id: 'INTEGER',
    label: 'VARCHAR',
    fluid: 'VARCHAR',
    category: 'VARCHAR',
    loinc_code: 'VARCHAR',
  },
  /** One row per rejected source row: patient-level, so it never leaves the store. */
  rejects: { source_table: 'VARCHAR', line: 'BIGINT', reason: 'VARCHAR', detail: 'VARCHAR' },
} as const satisfies Record<string, Record<string, string>>;

export type EventTable = keyof typeof eventTables;

/** Tables that a source may lack; their Parquet files are then written empty. */
export const optionalEventTables: readonly EventTable[] = [
  'icu_stays',
  'diagnosis_titles',
  'procedure_titles',
  'lab_items',
];
