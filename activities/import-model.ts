import { fingerprintModel, readImportedModel } from '../pipelines/exchange/models/model-folder.ts';
import { importModel as contract } from '../schemas/stages/import-model.ts';
import { defineBody } from './stage-body.ts';

/** Model folder outside the store → model artifact, byte for byte; the folder's content is part of the cache key. */
export const importModel = defineBody(contract, {
  code: import.meta.url,
  fingerprint: ({ model }) => fingerprintModel(model),
  async *run({ params: { model, generator } }, { draft }) {
    const { card, files } = await readImportedModel(model, generator);
    yield { step: 1, of: 2, phase: 'model read' };
    for (const [file, bytes] of Object.entries(files)) await draft.write(file, bytes);
    yield { step: 2, of: 2, phase: 'model written' };
    const { importedFrom } = card.settings;
    return {
      generator,
      codes: card.tokens,
      parameters: card.parameters,
      ...(typeof importedFrom === 'string' && { importedFrom }),
    };
  },
});
