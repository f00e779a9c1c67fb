import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StageError } from '../../../schemas/errors.ts';
import { readTokenCohort } from '../../tokens/token-cohort-file.ts';
import { type CohortLayout, malformed } from './outside-cohort.ts';

const files = ['tokens.arrow', 'vocabulary.json', 'token-cohort.json'];

/** A `token-cohort` artifact of a run, real or synthetic, as it lies in a store. */
export const artifactLayout: CohortLayout = {
  name: 'token-cohort',
  about: `a folder with ${files.join(', ')}: a token-cohort artifact of a store`,
  recognizes: ({ files: found }) => files.every((file) => found.includes(file)),
  async read({ path, name }) {
    try {
      const cohort = await readTokenCohort({
        bytes: (file) => readFile(join(path, file)),
        json: async (file) => JSON.parse(await readFile(join(path, file), 'utf8')),
      });
      return { ...cohort, labelsNamed: true, notes: [] };
    } catch (cause) {
      if (cause instanceof StageError) throw cause;
      throw malformed(
        `${name} is no whole token-cohort artifact: ${files.slice(1).join(' or ')} has another shape`,
      );
    }
  },
};
