import { type Modality, modalities } from '../../../schemas/ehr.ts';
import type { OutsideCode } from './outside-cohort.ts';

/** What codes are that say nothing of their modality: the published fixtures hold diagnoses. */
export const defaultModality: Modality = 'dx';

const prefix = new RegExp(`^(${modalities.join('|')}):(.+)$`, 's');

/** `px:9604` is a procedure, `9604` alone has the default modality. Code texts stay as they are. */
export const prefixedCode = (text: string): OutsideCode => {
  const [, modality, code] = prefix.exec(text) ?? [];
  return modality === undefined || code === undefined
    ? { modality: defaultModality, code: text }
    : { modality: modality as Modality, code };
};

/** ICD codes as MIMIC-III has them: without the dot, in capitals. */
const icd = (code: string): string => code.replace('.', '').toUpperCase();
// As pipelines/cohort folds drug names, so that MEDS and MIMIC tables meet.
const folded = (drug: string): string => drug.trim().toLowerCase().replaceAll(/\s+/g, ' ');

interface Rule {
  pattern: RegExp;
  modality: Modality;
  /** Code from the pattern's groups; ICD-9 is bare as in MIMIC-III, other systems keep a prefix. */
  code(...groups: string[]): string;
}

const other = (system: string) => (code: string) => `${system}:${code}`;

/** Code system of texts that belong to none: `UNDERSTUDY//rx//text`, as our own exports write them. */
export const plainSystem = 'UNDERSTUDY';

/**
 * Code systems as MEDS spells them: `VOCABULARY//code` or `VOCABULARY/code`, and the classes of the MIMIC
 * ETL. Sources: Medical-Event-Data-Standard/MIMIC_IV_MEDS event_configs.yaml; OMOP vocabulary names.
 */
const rules: readonly Rule[] = [
  { pattern: /^(?:DIAGNOSIS\/\/?)?ICD9(?:CM)?\/\/?(.+)$/, modality: 'dx', code: icd },
  {
    pattern: /^(?:DIAGNOSIS\/\/?)?ICD10(?:CM)?\/\/?(.+)$/,
    modality: 'dx',
    code: (code) => other('ICD10')(icd(code)),
  },
  { pattern: /^DIAGNOSIS\/\/ICD\/\/9\/\/(.+)$/, modality: 'dx', code: icd },
  {
    pattern: /^DIAGNOSIS\/\/ICD\/\/10\/\/(.+)$/,
    modality: 'dx',
    code: (code) => other('ICD10')(icd(code)),
  },
  { pattern: /^DIAGNOSIS\/\/(.+)$/, modality: 'dx', code: icd },
  { pattern: /^ICD9Proc\/\/?(.+)$/, modality: 'px', code: icd },
  {
    pattern: /^PROCEDURE(?:_ICD)?\/\/(?:ICD\/\/9|ICD9(?:CM|Proc)?)\/\/(.+)$/,
    modality: 'px',
    code: icd,
  },
  {
    pattern: /^(?:PROCEDURE(?:_ICD)?\/\/(?:ICD\/\/10|ICD10(?:PCS)?)|ICD10PCS)\/\/?(.+)$/,
    modality: 'px',
    code: (code) => other('ICD10')(icd(code)),
  },
  { pattern: /^(CPT4|HCPCS)\/\/?(.+)$/, modality: 'px', code: (system, code) => other(system)(code) },
  // START and END of ICU procedures are charted by item, and an end is no second procedure.
  { pattern: /^PROCEDURE\/\/(?!START\/\/|END\/\/)(.+)$/, modality: 'px', code: (code) => code },
  {
    pattern: /^MEDICATION\/\/(?:START\/\/)?(?!STOP\/\/|UNK(?:\/\/|$))([^/]+).*$/,
    modality: 'rx',
    code: folded,
  },
  {
    pattern: /^(RxNorm|NDC|ATC)\/\/?(.+)$/,
    modality: 'rx',
    code: (system, code) => other(system)(code),
  },
  {
    pattern: /^LAB\/\/(?:RESULT\/\/|SPECIMEN_COLLECTED\/\/)?([^/]+).*$/,
    modality: 'lab',
    code: (item) => item,
  },
  { pattern: /^(LOINC)\/\/?(.+)$/, modality: 'lab', code: (system, code) => other(system)(code) },
  ...modalities.map((modality) => ({
    pattern: new RegExp(`^${plainSystem}//${modality}//(.+)$`, 's'),
    modality,
    code: (code: string) => code,
  })),
];

/**
 * What a MEDS code says, or undefined where it is none of dx, px, rx, lab (admissions, demographics, vitals).
 */
export const medsCode = (text: string): OutsideCode | undefined => {
  const trimmed = text.trim();
  for (const { pattern, modality, code } of rules) {
    const [, ...groups] = pattern.exec(trimmed) ?? [];
    if (groups.length > 0) return { modality, code: code(...groups) };
  }
  return undefined;
};

/**
 * The vocabulary part of a MEDS code where it looks like one (`VITALS//BP` gives `VITALS`): never a value.
 */
export const medsPrefix = (text: string): string =>
  /^([A-Z][A-Z0-9_]{1,30})(?:\/|$)/i.exec(text)?.[1] ?? 'others';
