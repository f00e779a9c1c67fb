/**
 * HALO: Theodorou, Xiao, Sun. Synthesize high-dimensional longitudinal electronic health records via
 * hierarchical autoregressive language model. Nat Commun 14, 5305 (2023). Numbers as in its code,
 * btheodorou99/HALO_Inpatient.
 *
 * A record is start, labels, visits, with an end token in the last visit. A transformer over visits gives a
 * history for each (halo/transformer.ts); two masked linear layers give each code's probability from the
 * history and the codes before it in the same visit (halo/head.ts); halo/network.ts joins them,
 * halo/fitting.ts trains, halo/sampler.ts draws.
 */
import { samplerWithFacts } from '../generation/fact-columns.ts';
import { defineGenerator } from '../generation/generator.ts';
import { requireVocabulary } from '../generation/record-fitting.ts';
import { haloImport } from './halo/adopt.ts';
import { haloConfig } from './halo/training/config.ts';
import { fitHalo, openHalo } from './halo/training/fitting.ts';
import { haloModel, haloStart } from './halo/training/warm-weights.ts';

export default defineGenerator({
  name: 'halo',
  title: 'Hierarchical autoregressive language model over visits and codes',
  paper:
    'Theodorou, Xiao, Sun 2023, Synthesize high-dimensional longitudinal electronic health records via hierarchical autoregressive language model, https://doi.org/10.1038/s41467-023-41093-0',
  version: 4,
  config: haloConfig,
  capabilities: ['labels', 'demographics', 'score'],
  fit: (data, config, seed) => fitHalo(data, config, seed),
  fitFrom: (start, data, config, seed) => fitHalo(data, config, seed, haloStart(start, data)),
  importCheckpoint: haloImport,
  async open(saved, _config, vocabulary) {
    const { architecture, facts } = haloModel.parse(saved.json);
    requireVocabulary('halo', architecture, vocabulary);
    const sampler = await openHalo(architecture, saved, vocabulary);
    return samplerWithFacts('halo', sampler, facts, vocabulary.labels.length);
  },
});
