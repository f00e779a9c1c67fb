import { type Database, literal } from '../../kernel/duckdb.ts';
import type { TokenCohort } from '../../patients/visit-columns.ts';
import { medsCode, plainSystem } from '../read/code-systems.ts';

type Modality = Exclude<TokenCohort['vocabulary']['codes'][number]['modality'], 'gap'>;

interface DictionaryCode {
  modality: Modality;
  code: string;
  unit: string | null;
}

/** A code under the vocabulary that it belongs to, by OMOP's name of it. */
interface SystemCode {
  /** Undefined: a text of the source's own, such as the name of a drug or the number of a lab test. */
  system: string | undefined;
  /** As in that vocabulary, but ICD codes without the dot, as MIMIC-III has them. */
  bare: string;
}

const prefixed: Readonly<Record<Modality, Readonly<Record<string, string>>>> = {
  dx: { ICD10: 'ICD10CM' },
  px: { ICD10: 'ICD10PCS', CPT4: 'CPT4', HCPCS: 'HCPCS' },
  rx: { RxNorm: 'RxNorm', NDC: 'NDC', ATC: 'ATC' },
  lab: { LOINC: 'LOINC' },
};

// A code without a prefix is of MIMIC-III's own system where it has its shape; nothing else is claimed.
const bareShapes: Readonly<Partial<Record<Modality, readonly [system: string, shape: RegExp]>>> = {
  dx: ['ICD9CM', /^(?:\d{3,5}|V\d{2,4}|E\d{3,4})$/],
  px: ['ICD9Proc', /^\d{2,4}$/],
};

/** Vocabulary of a code, by its prefix (as `readCohort` sets them) or its shape. */
const systemOf = ({ modality, code }: Pick<DictionaryCode, 'modality' | 'code'>): SystemCode => {
  const [, prefix = '', rest = ''] = /^(\w+):(.+)$/s.exec(code) ?? [];
  const system = prefixed[modality][prefix];
  if (system !== undefined) return { system, bare: rest };
  const [own, shape] = bareShapes[modality] ?? [];
  return { system: shape?.test(code) ? own : undefined, bare: code };
};

const medsClass: Readonly<Record<string, string>> = {
  ICD9CM: 'DIAGNOSIS//ICD//9//',
  ICD10CM: 'DIAGNOSIS//ICD//10//',
  ICD9Proc: 'PROCEDURE//ICD//9//',
  ICD10PCS: 'PROCEDURE//ICD//10//',
};

const usualMedsName = (entry: DictionaryCode): string => {
  const { system, bare } = systemOf(entry);
  if (system !== undefined) return `${medsClass[system] ?? `${system}//`}${bare}`;
  if (entry.modality === 'rx') return `MEDICATION//START//${bare}`;
  return entry.modality === 'lab' ? `LAB//${bare}//${entry.unit ?? 'UNK'}` : '';
};

/**
 * A code as MEDS data sets of MIMIC spell it, where reading that gives the code back; otherwise its text under
 * a system of our own. Source: Medical-Event-Data-Standard/MIMIC_IV_MEDS, event_configs.yaml.
 */
export const medsName = (entry: DictionaryCode): string => {
  const usual = usualMedsName(entry);
  const read = medsCode(usual);
  return read?.modality === entry.modality && read.code === entry.code
    ? usual
    : `${plainSystem}//${entry.modality}//${entry.code}`;
};

const dotAfter: Readonly<Record<string, (code: string) => number>> = {
  ICD9CM: (code) => (code.startsWith('E') ? 4 : 3),
  ICD9Proc: () => 2,
  ICD10CM: () => 3,
};

/** A code as its vocabulary prints it: ICD codes with their dot. */
const dottedCode = ({ system = '', bare }: SystemCode): string => {
  const at = dotAfter[system]?.(bare) ?? bare.length;
  return at < bare.length && !bare.includes('.') ? `${bare.slice(0, at)}.${bare.slice(at)}` : bare;
};

const rowsPerInsert = 500;

/**
 * Table `code_names`, a row per code of the dictionary: `modality`, `code`, `system` (NULL for texts of the
 * source's own), `bare` and `dotted` code in it, and the `meds` spelling.
 */
export const stageCodeNames = async (database: Database): Promise<void> => {
  const entries = await database.rows<DictionaryCode>(
    'SELECT modality, code, unit FROM dictionary ORDER BY number',
  );
  await database.run(
    'CREATE TABLE code_names (modality VARCHAR, code VARCHAR, system VARCHAR, bare VARCHAR, dotted VARCHAR, meds VARCHAR)',
  );
  const rows = entries.map((entry) => {
    const own = systemOf(entry);
    const cells = [entry.modality, entry.code, own.system, own.bare, dottedCode(own), medsName(entry)];
    return `(${cells.map((cell) => (cell === undefined ? 'NULL' : literal(cell))).join(', ')})`;
  });
  for (let from = 0; from < rows.length; from += rowsPerInsert)
    await database.run(`INSERT INTO code_names VALUES ${rows.slice(from, from + rowsPerInsert).join(', ')}`);
};
