import type { Data } from 'apache-arrow';
import { z } from 'zod';
import { splits } from '../../schemas/ehr.ts';
import { StageError } from '../../schemas/errors.ts';
import { seedModes } from '../../schemas/stages/generate.ts';
import type { Draft, OpenArtifact } from '../../schemas/store.ts';
import { tokenOrder, type Vocabulary, vocabulary as vocabularySchema } from '../../schemas/vocabulary.ts';
import {
  decodeColumns,
  demographicColumns,
  demographicsOf,
  encodeColumns,
  fixedListColumn,
  float32Column,
  float32Values,
  int32Column,
  int32Values,
  listColumn,
  listParts,
  uint8Column,
  uint8Values,
} from '../patients/arrow-columns.ts';
import { patientCount, patientsIn, type TokenCohort, visitCount } from '../patients/visit-columns.ts';

const tally = z.record(z.string(), z.int().nonnegative());

const share = z.number().min(0).max(1);

/** How a synthetic cohort was sampled, as far as real codes may stand in it; see `copiedCodes`. */
export const syntheticOrigin = z.object({
  seedMode: z.enum(seedModes).describe('cold: from the model alone; warm: around real training patients'),
  copiedCodeFraction: share.describe(
    'of its codes, those in the same visit of the training patient of the same index',
  ),
  copiedByChance: share.describe('the same, expected against a random training patient'),
});
export type SyntheticOrigin = z.output<typeof syntheticOrigin>;

/** `token-cohort.json`: what is in the artifact, in numbers that name no patient. */
export const tokenCohortHeader = z.object({
  generator: z.string().optional().describe('which generator made it; absent in real cohorts'),
  patients: z.int(),
  visits: z.int(),
  codes: z.int().describe('code occurrences, each once per visit'),
  vocabulary: z.int(),
  order: tokenOrder.optional().describe('of the tokens; absent where the vocabulary came from outside'),
  splits: tally.optional().describe('patients per split; absent in synthetic cohorts'),
  dropped: z
    .record(z.string(), tally)
    .optional()
    .describe('what tokenization left out: reason → split → count'),
  changed: z
    .record(z.string(), tally)
    .optional()
    .describe('what was removed from a synthetic cohort after sampling: reason → what → count'),
  ...syntheticOrigin.partial().shape,
});
type TokenCohortHeader = z.output<typeof tokenCohortHeader>;

const fixedColumns = ['visits', 'values', 'labels', 'split'];

const columnsOf = (cohort: TokenCohort): Record<string, Data> => {
  const columns: Record<string, Data> = {
    visits: listColumn(listColumn(int32Column(cohort.codes), cohort.codeOffsets), cohort.visitOffsets),
  };
  const { values, codeOffsets, visitOffsets } = cohort;
  if (values) columns['values'] = listColumn(listColumn(float32Column(values), codeOffsets), visitOffsets);
  const width = cohort.vocabulary.labels.length;
  if (width > 0) columns['labels'] = fixedListColumn(uint8Column(cohort.labels), width);
  if (cohort.split) columns['split'] = uint8Column(cohort.split);
  return { ...columns, ...demographicColumns(cohort.demographics ?? {}, 0) };
};

/** Throws RangeError unless offsets, codes, vocabulary, labels and the per-patient columns fit each other. */
const checkShape = (cohort: TokenCohort): void => {
  const { visitOffsets, codeOffsets, codes, values, labels, vocabulary, split, demographics } = cohort;
  const patients = patientCount(cohort);
  const check = (what: string, found: number | undefined, expected: number) => {
    if (found !== expected) throw new RangeError(`${what}: expected ${expected}, found ${found}`);
  };
  check('first visit offset', visitOffsets[0], 0);
  check('first code offset', codeOffsets[0], 0);
  check('last visit offset', visitOffsets.at(-1), visitCount(cohort));
  check('last code offset', codeOffsets.at(-1), codes.length);
  const strange = codes.find((token) => token < 0 || token >= vocabulary.codes.length);
  if (strange !== undefined)
    throw new RangeError(`token ${strange} is not in a vocabulary of ${vocabulary.codes.length}`);
  if (values) check('values', values.length, codes.length);
  check('labels', labels.length, patients * vocabulary.labels.length);
  if (split) check('split', split.length, patients);
  for (const [name, fact] of Object.entries(demographics ?? {})) {
    if (fixedColumns.includes(name)) throw new RangeError(`a demographic cannot be named ${name}`);
    check(name, fact.values.length, patients);
  }
};

/** What only its maker knows of a cohort. */
interface Remarks {
  dropped?: TokenCohortHeader['dropped'];
  origin?: SyntheticOrigin;
  changed?: TokenCohortHeader['changed'];
}

const headerOf = (cohort: TokenCohort, { dropped, origin, changed }: Remarks): TokenCohortHeader => ({
  generator: cohort.generator,
  patients: patientCount(cohort),
  visits: visitCount(cohort),
  codes: cohort.codes.length,
  vocabulary: cohort.vocabulary.codes.length,
  order: cohort.vocabulary.order,
  splits: cohort.split && Object.fromEntries(splits.map((name, i) => [name, patientsIn(cohort, i).length])),
  dropped,
  changed: changed && Object.keys(changed).length > 0 ? changed : undefined,
  ...origin,
});

/**
 * Writes the three files of a `token-cohort` artifact and returns the header: `tokens.arrow` (one row per
 * patient), `vocabulary.json`, `token-cohort.json`. Equal cohorts give equal bytes. Throws RangeError when
 * the columns do not fit each other.
 */
export const writeTokenCohort = async (
  draft: Pick<Draft, 'write'>,
  cohort: TokenCohort,
  remarks: Remarks = {},
): Promise<TokenCohortHeader> => {
  checkShape(cohort);
  const header = headerOf(cohort, remarks);
  await draft.write('tokens.arrow', encodeColumns(columnsOf(cohort), header.patients));
  await draft.write('vocabulary.json', `${JSON.stringify(cohort.vocabulary)}\n`);
  await draft.write('token-cohort.json', `${JSON.stringify(header, null, 2)}\n`);
  return header;
};

const cohortFrom = (bytes: Uint8Array, vocabulary: Vocabulary, generator?: string): TokenCohort => {
  const { columns } = decodeColumns(bytes);
  const { visits, values, labels, split, ...others } = columns;
  const outer = listParts(visits);
  const inner = listParts(outer.child);
  const cohort: TokenCohort = {
    visitOffsets: outer.offsets,
    codeOffsets: inner.offsets,
    codes: int32Values(inner.child),
    labels: labels ? uint8Values(labels.children[0]) : new Uint8Array(0),
    vocabulary,
  };
  if (values) cohort.values = float32Values(listParts(listParts(values).child).child);
  if (split) cohort.split = uint8Values(split);
  if (Object.keys(others).length > 0) cohort.demographics = demographicsOf(others);
  if (generator !== undefined) cohort.generator = generator;
  checkShape(cohort);
  return cohort;
};

/**
 * Reads a `token-cohort` artifact, real or synthetic. All typed arrays are views on the bytes of
 * `tokens.arrow`: treat them as read-only. Throws ArtifactCorrupt when the file has another shape.
 */
export const readTokenCohort = async (
  artifact: Pick<OpenArtifact, 'bytes' | 'json'>,
): Promise<TokenCohort> => {
  const header = tokenCohortHeader.parse(await artifact.json('token-cohort.json'));
  const vocabulary = vocabularySchema.parse(await artifact.json('vocabulary.json'));
  const bytes = await artifact.bytes('tokens.arrow');
  try {
    return cohortFrom(bytes, vocabulary, header.generator);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new StageError('ArtifactCorrupt', `tokens.arrow: ${cause.message}`, { cause });
  }
};
