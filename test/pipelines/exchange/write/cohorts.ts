import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../../../../infra/store/bytes.ts';
import { exportLayoutNamed } from '../../../../pipelines/exchange/write/registry.ts';
import { type ExportRequest, writeExport } from '../../../../pipelines/exchange/write/write-export.ts';
import { RandomSource, UniformStream } from '../../../../pipelines/kernel/random.ts';
import {
  codesOfVisit,
  type Demographic,
  type TokenCohort,
  visitRange,
} from '../../../../pipelines/patients/visit-columns.ts';
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import { columnsOf } from '../../../helpers/patients.ts';

type Code = Vocabulary['codes'][number];

/** Codes that are hard to write: quotes, commas, other scripts, leading zeros, formulas, blanks inside. */
export const hardCodes: Code[] = [
  { modality: 'dx', code: '0389', title: 'Septicemia, "unspecified"' },
  { modality: 'dx', code: 'V4581', title: '=SUM(A1:A9)' },
  { modality: 'dx', code: '42,80' },
  { modality: 'dx', code: '"quoted"', title: 'línea\nnueva' },
  { modality: 'dx', code: '=1+1' },
  { modality: 'dx', code: "'=1+1" },
  { modality: 'dx', code: '-7' },
  { modality: 'px', code: '0066' },
  { modality: 'px', code: '敗血症' },
  { modality: 'rx', code: 'potassium chloride 20 meq / 100 ml' },
  { modality: 'rx', code: '@home' },
  { modality: 'lab', code: '50868' },
];

/** What MIMIC-III's own code columns can hold, and lab tests with numbers. */
export const plainCodes: Code[] = [
  { modality: 'dx', code: '0389', title: 'Septicemia' },
  { modality: 'dx', code: 'V4581' },
  { modality: 'dx', code: '4280', title: 'Heart failure, "congestive"' },
  { modality: 'px', code: '0066' },
  { modality: 'rx', code: 'aspirin ec' },
  { modality: 'rx', code: 'd5w, 1/2 ns' },
  {
    modality: 'lab',
    code: '50868',
    title: 'Anion Gap (Blood)',
    bucket: { low: 8, high: 12, unit: 'mEq/L', decimals: 0 },
  },
  {
    modality: 'lab',
    code: '50868',
    title: 'Anion Gap (Blood)',
    bucket: { low: 12, high: 20, unit: 'mEq/L', decimals: 0 },
  },
  { modality: 'lab', code: '50931', bucket: { low: 0.7, high: 1.1, decimals: 1 } },
  { modality: 'lab', code: '51006' },
  { modality: 'gap', code: 'gap', bucket: { low: 1, high: 30, unit: 'days', decimals: 3 } },
];

interface Shape {
  patients: number;
  codes: readonly Code[];
  labels?: string[];
  demographics?: boolean;
  /** Whether patients without visits and visits without codes may be there. */
  empty?: boolean;
}

const numberOf = ({ low, high, decimals = 3 }: NonNullable<Code['bucket']>, unit: number): number => {
  const scale = 10 ** decimals;
  return (Math.round(low * scale) + Math.floor(unit * Math.round((high - low) * scale))) / scale;
};

const factsOf = (patients: number, random: UniformStream): Record<string, Demographic> => {
  const levels = (names: string[]): Demographic => ({
    kind: 'categorical',
    levels: names,
    values: Int32Array.from({ length: patients }, () => random.below(names.length + 1) - 1),
  });
  return {
    age: {
      kind: 'numeric',
      values: Float32Array.from({ length: patients }, (_, i) =>
        i % 5 === 4 ? Number.NaN : 18 + 75 * random.next(),
      ),
    },
    sex: levels(['F', 'M']),
    ethnicity: levels(['ASIAN', 'BLACK/AFRICAN AMERICAN', '=WHITE']),
    admission_type: levels(['ELECTIVE', 'EMERGENCY']),
    insurance: levels(['Medicare', 'Private']),
  };
};

/** A small random synthetic cohort; equal seeds give equal ones. */
export const randomCohort = (seed: number, shape: Shape): TokenCohort => {
  const random = new UniformStream(new RandomSource(seed, 'patients'), 0);
  const { patients, codes, labels = [], demographics = false, empty = false } = shape;
  const gap = codes.findIndex(({ modality }) => modality === 'gap');
  const records = Array.from({ length: patients }, () => {
    const visits = random.below(4) + (empty ? 0 : 1);
    return {
      visits: Array.from({ length: visits }, (_, visit) => {
        const chosen = new Map<string, number>();
        codes.forEach(({ modality, code }, token) => {
          if (modality !== 'gap' && random.next() < 0.3) chosen.set(`${modality}:${code}`, token);
        });
        if (chosen.size === 0 && !empty) chosen.set('first', 0);
        const tokens = [...chosen.values()];
        return visit > 0 && gap >= 0 ? [...tokens, gap] : tokens;
      }),
      labels: labels.map(() => random.below(2)),
    };
  });
  const columns = columnsOf(records);
  const values = Float32Array.from(columns.codes, (token) => {
    const { bucket } = codes[token] as Code;
    return bucket ? numberOf(bucket, random.next()) : Number.NaN;
  });
  return {
    ...columns,
    vocabulary: { codes: [...codes], labels },
    generator: 'marginal',
    ...(codes.some(({ bucket }) => bucket) && { values }),
    ...(demographics && { demographics: factsOf(patients, random) }),
  };
};

/** The cohort without tokens: per patient, per visit, the sorted codes; gaps left out. */
export const recordsIn = (cohort: TokenCohort): string[][][] =>
  Array.from({ length: cohort.visitOffsets.length - 1 }, (_, patient) => {
    const [first, end] = visitRange(cohort, patient);
    return Array.from({ length: end - first }, (_, visit) => {
      const entries = Array.from(
        codesOfVisit(cohort, first + visit),
        (token) => cohort.vocabulary.codes[token] as Code,
      );
      const texts = entries
        .filter(({ modality }) => modality !== 'gap')
        .map(({ modality, code }) => `${modality}:${code}`);
      return [...new Set(texts)].sort();
    });
  });

/** Writes a cohort into `folder` and returns the summary. */
export const exportTo = async (
  folder: string,
  scratch: string,
  layout: string,
  request: Pick<ExportRequest, 'cohort'> & Partial<ExportRequest>,
) => {
  const work = writeExport(
    {
      layout: exportLayoutNamed(layout),
      seed: 0,
      origin: { generator: 'marginal', lineage: [] },
      ...request,
    },
    { folder, scratch },
  );
  let turn = await work.next();
  while (!turn.done) turn = await work.next();
  return turn.value;
};

/** Digest of every file below a folder, by path. */
export const digestsOf = async (folder: string): Promise<Record<string, string>> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  const digests = await Promise.all(
    files.sort().map(async (file) => [file.slice(folder.length + 1), sha256(await readFile(file))]),
  );
  return Object.fromEntries(digests);
};
