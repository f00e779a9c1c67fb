import { readFile, stat } from 'node:fs/promises';
import { modality as modalitySchema } from '../../../schemas/ehr.ts';
import { isEmptyWord } from '../../sources/cells.ts';
import { checkFirstBytes } from '../../sources/header.ts';
import { prefixedCode } from './code-systems.ts';
import {
  type CohortLayout,
  malformed,
  namesText,
  type OutsideCode,
  type OutsideCohort,
  positionalLabels,
} from './outside-cohort.ts';
import { CodeNumbers } from './own-vocabulary.ts';
import { retoken } from './retoken.ts';

/** A text cannot be longer than this in Node, so larger files are refused before they are read. */
const largest = 500 * 1024 * 1024;
/** `synthetic` marks what `export` writes; it decides nothing. */
const wrapperKeys = ['patients', 'labels', 'codes', 'generator', 'synthetic'];

interface Wrapper {
  patients: unknown[];
  labels?: string[];
  /** What integer codes count. */
  codes?: OutsideCode[];
  generator?: string;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return value === null ? 'null' : 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'number')
    return Number.isInteger(value) ? 'a whole number' : 'a number with a fraction';
  return isRecord(value) ? 'an object' : `a ${typeof value}`;
};

const hasControl = (text: string): boolean => [...text].some((letter) => letter < ' ' || letter === '\x7f');

/** Throws SourceMalformed for a word that stands for an empty cell, and for control characters. */
const checkText = (text: string, at: string): void => {
  if (isEmptyWord(text)) throw malformed(`${at} is a word for an empty cell (NaN, None). Leave it out`);
  if (hasControl(text)) throw malformed(`${at} holds a control character (NUL, tab, line break)`);
};

const namesAt = (value: unknown, name: string, key: string): string[] => {
  if (!Array.isArray(value) || value.some((entry) => typeof entry !== 'string' || entry === ''))
    throw malformed(`${name}: ${key} should be a list of names, one text each`);
  const twice = value.findIndex((entry, i) => value.indexOf(entry) !== i);
  if (twice !== -1) throw malformed(`${name}: entry ${twice} of ${key} is there twice`);
  return value;
};

const dictionaryAt = (value: unknown, name: string): OutsideCode[] => {
  if (!Array.isArray(value)) throw malformed(`${name}: codes should be a list, found ${kindOf(value)}`);
  return value.map((entry, i) => {
    const text = isRecord(entry) ? entry['code'] : entry;
    if (typeof text === 'string') checkText(text, `${name}: entry ${i} of codes`);
    if (typeof entry === 'string' && entry !== '') return prefixedCode(entry);
    if (!isRecord(entry) || typeof entry['code'] !== 'string' || entry['code'] === '')
      throw malformed(`${name}: entry ${i} of codes should be a text or {modality, code, title}`);
    const { modality = 'dx', code, title } = entry;
    const checked = modalitySchema.safeParse(modality);
    if (!checked.success)
      throw malformed(`${name}: entry ${i} of codes has a modality that is none of dx, px, rx, lab`);
    return { modality: checked.data, code, ...(typeof title === 'string' ? { title } : {}) };
  });
};

const unwrap = (document: unknown, name: string): Wrapper => {
  if (Array.isArray(document)) return { patients: document };
  if (!isRecord(document) || !Array.isArray(document['patients']))
    throw malformed(
      `${name}: expected a list of patients, or {patients: [...]}; found ${
        isRecord(document) ? `an object with ${namesText(Object.keys(document))}` : kindOf(document)
      }`,
    );
  const strange = Object.keys(document).filter((key) => !wrapperKeys.includes(key));
  if (strange.length > 0)
    throw malformed(
      `${name}: beside patients there may be labels, codes and generator; found ${namesText(strange)}`,
    );
  const { patients, labels, codes, generator } = document;
  if (generator !== undefined && typeof generator !== 'string')
    throw malformed(`${name}: generator should be a text, found ${kindOf(generator)}`);
  return {
    patients,
    ...(labels === undefined ? {} : { labels: namesAt(labels, name, 'labels') }),
    ...(codes === undefined ? {} : { codes: dictionaryAt(codes, name) }),
    ...(generator === undefined ? {} : { generator }),
  };
};

/** Takes patients one by one; messages say which patient and visit, counted from 0, and never a code. */
class PatientReader {
  readonly #name: string;
  readonly #dictionary: OutsideCode[] | undefined;
  readonly #numbers = new CodeNumbers();
  readonly #visitOffsets = [0];
  readonly #codeOffsets = [0];
  readonly #codes: number[] = [];
  readonly #labels: number[] = [];
  #width: number | undefined;

  constructor(name: string, { labels, codes }: Wrapper) {
    this.#name = name;
    this.#dictionary = codes;
    this.#width = labels?.length;
  }

  add(patient: unknown, index: number): void {
    const at = `${this.#name}: patient ${index}`;
    if (!isRecord(patient))
      throw malformed(
        `${at} should be {"visits": [[code, …], …], "labels": [0 or 1, …]}, found ${kindOf(patient)}`,
      );
    const { visits, labels = [] } = patient;
    if (!Array.isArray(visits))
      throw malformed(`${at}: visits should be a list of lists, found ${kindOf(visits)}`);
    visits.forEach((visit, v) => {
      if (!Array.isArray(visit))
        throw malformed(`${at}, visit ${v} should be a list of codes, found ${kindOf(visit)}`);
      for (const code of visit) this.#codes.push(this.#number(code, `${at}, visit ${v}`));
      this.#codeOffsets.push(this.#codes.length);
    });
    this.#visitOffsets.push(this.#codeOffsets.length - 1);
    this.#addLabels(labels, at);
  }

  #number(code: unknown, at: string): number {
    if (typeof code === 'string') checkText(code, `${at}: a code`);
    if (typeof code === 'string' && code !== '') return this.#numbers.of(prefixedCode(code));
    if (typeof code !== 'number' || !Number.isSafeInteger(code))
      throw malformed(
        `${at}: a code should be a whole number or a text, found ${code === '' ? 'an empty text' : kindOf(code)}`,
      );
    if (!this.#dictionary) return this.#numbers.of(prefixedCode(String(code)));
    const entry = this.#dictionary[code];
    if (!entry)
      throw malformed(
        `${at}: a code is outside the list of ${this.#dictionary.length} codes that the file brings`,
      );
    return this.#numbers.of(entry);
  }

  #addLabels(labels: unknown, at: string): void {
    if (!Array.isArray(labels)) throw malformed(`${at}: labels should be a list, found ${kindOf(labels)}`);
    this.#width ??= labels.length;
    if (labels.length !== this.#width)
      throw malformed(`${at} has ${labels.length} labels where ${this.#width} are expected`);
    labels.forEach((label, i) => {
      if (![0, 1, true, false].includes(label))
        throw malformed(`${at}: label ${i} should be 0 or 1, found ${kindOf(label)}`);
      this.#labels.push(Number(label));
    });
  }

  finish() {
    const { codes, tokenOf } = this.#numbers.sorted();
    const read = {
      visitOffsets: Int32Array.from(this.#visitOffsets),
      codeOffsets: Int32Array.from(this.#codeOffsets),
      codes: Int32Array.from(this.#codes),
      labels: Uint8Array.from(this.#labels),
    };
    const { columns } = retoken(read, tokenOf);
    return { columns, codes, width: this.#width ?? 0, repeats: read.codes.length - columns.codes.length };
  }
}

const parse = (text: string, name: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // V8 quotes the text around the fault, which may be a patient's: keep the place only.
    const place = /position \d+(?: \(line \d+ column \d+\))?/.exec(String(cause))?.[0];
    throw malformed(
      `${name} is not JSON${place ? `: it breaks at ${place}` : ': it ends too early or is empty'}`,
    );
  }
};

/** Reads patients that are already parsed; `name` is for messages. Throws SourceMalformed. */
export const cohortFromJson = (document: unknown, name: string): OutsideCohort => {
  const wrapper = unwrap(document, name);
  const reader = new PatientReader(name, wrapper);
  wrapper.patients.forEach((patient, i) => {
    reader.add(patient, i);
  });
  const { columns, codes, width, repeats } = reader.finish();
  return {
    ...columns,
    vocabulary: { codes, labels: wrapper.labels ?? positionalLabels(width) },
    labelsNamed: wrapper.labels !== undefined,
    notes: repeats > 0 ? [`${repeats} codes were repeated inside their visit and count once`] : [],
    ...(wrapper.generator === undefined ? {} : { generator: wrapper.generator }),
  };
};

/** The JSON of the golden fixtures; the only layout but our own that can hold patients without visits. */
export const jsonLayout: CohortLayout = {
  name: 'json',
  about:
    'a .json file: [{"visits": [[code, …], …], "labels": [0 or 1, …]}, …], or that list as `patients` of an object',
  recognizes: ({ kind, name }) => kind === 'file' && name.toLowerCase().endsWith('.json'),
  async read({ path, name }) {
    const { size } = await stat(path);
    if (size > largest) throw malformed(`${name} is larger than 500 MiB: give so large a cohort as Parquet`);
    await checkFirstBytes({ name, path, format: 'json' });
    // A byte-order mark is no part of JSON, but what Windows writes before it.
    return cohortFromJson(parse((await readFile(path, 'utf8')).replace(/^\uFEFF/, ''), name), name);
  },
};
