import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Modality, TokenKind } from '../../../schemas/ehr.ts';
import { suppressBelow } from '../../../schemas/metric-params.ts';
import { openDatabase } from '../../kernel/duckdb.ts';
import { suppressedCount } from '../../metrics/small-groups.ts';
import { patientCount, selectFacts } from '../../patients/visit-columns.ts';
import { artifactLayout } from './artifact-folder.ts';
import { jsonLayout } from './json-cohort.ts';
import { longFormLayout } from './long-form.ts';
import { medsLayout } from './meds.ts';
import { mimicLayout } from './mimic-folder.ts';
import { type CohortLayout, malformed, type OutsideCohort, type Place } from './outside-cohort.ts';
import { modalityCounts } from './own-vocabulary.ts';
import { pyhealthLayout } from './pyhealth-frame.ts';
import { retoken } from './retoken.ts';
import { checkShards, findPlace, foldersOf, foundText, surveyTables, toTableError } from './survey.ts';

/** Every layout that a cohort from outside may have; the first that recognizes a place reads it. */
const cohortLayouts: readonly CohortLayout[] = [
  artifactLayout,
  jsonLayout,
  mimicLayout,
  pyhealthLayout,
  longFormLayout,
  medsLayout,
];

const layoutOf = (place: Place): CohortLayout => {
  const layout = cohortLayouts.find((candidate) => candidate.recognizes(place));
  if (layout) return layout;
  const known = cohortLayouts.map(({ name, about }) => `\n  ${name}: ${about}`).join('');
  throw malformed(`${place.path} is ${foundText(place)}, which is no layout that we know:${known}`);
};

/**
 * The cohort without the codes of other modalities; says how many that were. Gaps between visits always stay.
 */
const only = (
  cohort: OutsideCohort,
  chosen: readonly Modality[],
  inWords: (count: number) => string,
): OutsideCohort => {
  const modalities: readonly TokenKind[] = [...chosen, 'gap'];
  const others = cohort.vocabulary.codes.filter(({ modality }) => !modalities.includes(modality));
  if (others.length === 0) return cohort;
  const codes = cohort.vocabulary.codes.filter(({ modality }) => modalities.includes(modality));
  let next = 0;
  const tokenOf = cohort.vocabulary.codes.map(({ modality }) =>
    modalities.includes(modality) ? next++ : -1,
  );
  const { columns, kept, lostVisits } = retoken(cohort, tokenOf);
  const lostPatients = patientCount(cohort) - kept.length;
  const counts = [...modalityCounts(others)].map(([modality, count]) => `${count} ${modality}`).join(', ');
  const { split, demographics, ...rest } = cohort;
  return {
    ...rest,
    ...columns,
    demographics: demographics && selectFacts(demographics, kept),
    ...(split ? { split: Uint8Array.from(kept, (patient) => split[patient] as number) } : {}),
    vocabulary: { ...cohort.vocabulary, codes },
    notes: [
      ...cohort.notes,
      `codes of other modalities were left out (${counts}), and with them ${inWords(lostVisits)} visits and ${inWords(lostPatients)} patients`,
    ],
  };
};

/** A cohort and the layout it was found in. */
export interface CohortRead {
  layout: string;
  cohort: OutsideCohort;
}

/**
 * Reads a cohort in whichever layout it is. `modalities` are those that stay. What DuckDB and the extraction
 * write on the way lies in a folder of its own under `scratch`, gone when this returns or throws. Throws
 * SourceMissing and SourceMalformed; messages hold names of files and columns and numbers of rows, never
 * cells, and notes no number of visits or patients below `suppressBelow`.
 */
export const readCohort = async (
  path: string,
  given: { scratch: string; modalities: readonly Modality[]; suppressBelow?: number },
): Promise<CohortRead> => {
  const { scratch: parent, modalities } = given;
  const below = suppressBelow.parse(given.suppressBelow);
  const inWords = (count: number) => suppressedCount(count, below);
  const found = await findPlace(path);
  await mkdir(parent, { recursive: true });
  const scratch = await mkdtemp(join(parent, 'reading-'));
  try {
    const database = await openDatabase(scratch, await foldersOf(found));
    try {
      const place = mimicLayout.recognizes(found) ? found : await surveyTables(found, database, scratch);
      const layout = layoutOf(place);
      if (layout.columns) await checkShards(place, layout.columns, database);
      const cohort = await layout.read(place, { database, scratch, modalities, inWords }).catch((error) => {
        throw toTableError(error, place);
      });
      if (patientCount(cohort) === 0) throw malformed(`${place.name} holds no patient`);
      const chosen = only(cohort, modalities, inWords);
      if (chosen.codes.length === 0)
        throw malformed(
          `${place.name}: no patient has a code of the modalities asked for (${modalities.join(', ')})`,
        );
      return { layout: layout.name, cohort: chosen };
    } finally {
      database.close();
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
};
