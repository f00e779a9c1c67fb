/**
 * The HALO code drops synthetic patients without visits before it counts (evaluate_datasets.py lines 17–27);
 * we keep them, because whoever receives the cohort receives them too, and give the paper's way as rows whose
 * names begin with `reference-`.
 */
export const referenceNote =
  'Computed as in the HALO code: synthetic patients without a visit are left out first.';
