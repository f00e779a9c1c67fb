import { assembleCohort } from '../pipelines/cohort/assemble-cohort.ts';
import { type CohortTable, cohortTables } from '../pipelines/cohort/assemble-sql.ts';
import { writeCohort } from '../pipelines/cohort/cohort-file.ts';
import { assemble as contract } from '../schemas/stages/assemble.ts';
import type { OpenArtifact } from '../schemas/store.ts';
import { defineBody } from './stage-body.ts';

const tablePaths = async (events: OpenArtifact): Promise<Record<CohortTable, string>> => {
  const paths: Partial<Record<CohortTable, string>> = {};
  for (const table of cohortTables) paths[table] = await events.path(`${table}.parquet`);
  return paths as Record<CohortTable, string>;
};

/** Events to cohort; see `assembleCohort` for what counts as a visit. */
export const assemble = defineBody(contract, {
  code: import.meta.url,
  async *run({ params, inputs }, { open, draft }) {
    const paths = await tablePaths(await open(inputs.events));
    const { cohort, splits, dropped } = yield* assembleCohort(paths, params, draft);
    const header = await writeCohort(draft, cohort, splits, dropped);
    const { rows = 0, withoutNumber = 0, otherUnit = 0, superseded = 0 } = dropped.labNumbers;
    const { noVisits = 0, tooFewVisits = 0, tooYoung = 0 } = dropped.patients;
    return {
      patients: header.patients,
      visits: header.visits,
      ...splits,
      patientsLeftOut: noVisits + tooFewVisits + tooYoung,
      labNumbers: rows - withoutNumber - otherUnit - superseded,
      visitsWithoutCodes: dropped.visits['noCodes'] ?? 0,
      ...Object.fromEntries(Object.entries(header.codes).map(([m, { distinct }]) => [`${m}Codes`, distinct])),
    };
  },
});
