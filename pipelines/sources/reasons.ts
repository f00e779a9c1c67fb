/** Why a row is rejected: code in rejects.parquet → what it means. docs/sources.md repeats this table. */
export const rejectReasons = {
  'too-few-fields': 'the line has fewer fields than the header',
  'too-many-fields': 'the line has more fields than the header',
  'broken-quote': 'text follows a closing quote: a quote inside quoted text must be doubled',
  'missing-value': 'a required cell is empty',
  'not-an-integer': 'an identifier is not a whole number, or does not fit 32 bits',
  'not-a-timestamp': 'the time of the row is not a date of the form YYYY-MM-DD, with or without HH:MM:SS',
  'not-a-code': 'a code holds something other than letters and digits (ICD-9 is written without its dot)',
  'repeated-key': 'an earlier kept row has the same identifier; the first one is kept',
  'unknown-patient': 'no kept row of the patient table has this patient',
  'unknown-admission': 'no kept row of the admission table has this admission',
  'wrong-patient': 'the admission belongs to another patient',
  'death-before-birth': 'the patient dies before being born',
  'admission-before-birth': 'the admission lies on a day before the birth of the patient',
  'discharge-before-admission': 'the discharge lies on a day before the admission',
} as const;
export type RejectReason = keyof typeof rejectReasons;

/** What is unusual about rows that are kept: counted per table in extraction.json. */
export const noteKinds = {
  'unreadable-cell': 'an optional cell is not of the type of its column; it became NULL',
  'no-birth-time': 'the patient has no date of birth, so no age',
  'no-sex': 'the patient has no sex',
  'shifted-birth':
    'more than 150 years between birth and admission: MIMIC-III hides ages above 89 in this way',
  'early-discharge': 'the discharge is earlier than the admission, on the same day',
  'ends-before-start': 'the row ends before it starts',
  'no-start': 'the prescription has no start',
  'no-ndc': 'the drug has no National Drug Code (empty, or the placeholder 0)',
  'no-admission': 'the row belongs to no admission (outpatient)',
  'no-number': 'the result is text only (`NEG`, `<0.01`) or empty',
  'outside-admission': 'the row lies before the admission or after the discharge it names',
  'untitled-code': 'the code is not in the dictionary of the source',
  'repeated-row': 'an earlier kept row has the same content; both stay, because code sets are made later',
} as const;
export type NoteKind = keyof typeof noteKinds;
