import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';

const phenotypesFile = new URL('./phenotypes.yaml', import.meta.url);

const definitions = z.record(
  z.string(),
  z.object({ use_in_benchmark: z.boolean(), codes: z.array(z.string()) }),
);

/** The benchmark's labels: names in sorted order, and the label of each ICD-9 diagnosis that has one. */
export interface Phenotypes {
  names: string[];
  labelOf: ReadonlyMap<string, number>;
}

/**
 * The 25 phenotypes of the MIMIC-III benchmark (Harutyunyan et al. 2019), as HALO uses them. A code has at
 * most one label; a second one in the file is an Error.
 */
export const readPhenotypes = async (): Promise<Phenotypes> => {
  const groups = definitions.parse(parse(await readFile(phenotypesFile, 'utf8')));
  const names = Object.keys(groups)
    .filter((name) => groups[name]?.use_in_benchmark)
    .sort();
  const labelOf = new Map<string, number>();
  names.forEach((name, label) => {
    for (const code of groups[name]?.codes ?? []) {
      if (labelOf.has(code)) throw new Error(`phenotypes.yaml: ${code} is listed under two phenotypes`);
      labelOf.set(code, label);
    }
  });
  return { names, labelOf };
};
