import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import { type Phenotypes, readPhenotypes } from '../../../cohort/phenotypes.ts';

/**
 * Tokens of the codes that define each label, by label; `undefined` where no definition of that name is
 * known.
 */
export type LabelDefinitions = readonly (ReadonlySet<number> | undefined)[];

/** Definitions of a vocabulary's labels: diagnoses of the phenotype that has the label's name. */
export const definingTokens = ({ codes, labels }: Vocabulary, phenotypes: Phenotypes): LabelDefinitions =>
  labels.map((name) => {
    const label = phenotypes.names.indexOf(name);
    if (label < 0) return undefined;
    const tokens = [...codes.keys()].filter((token) => {
      const { modality, code } = codes[token] as Vocabulary['codes'][number];
      return modality === 'dx' && phenotypes.labelOf.get(code) === label;
    });
    return new Set(tokens);
  });

/** The same, by the definitions that the cohort's labels are made with. */
export const labelDefinitions = async (vocabulary: Vocabulary): Promise<LabelDefinitions> =>
  definingTokens(vocabulary, await readPhenotypes());
