import { fileURLToPath } from 'node:url';
import type { importCheckpoint } from '../../../pipelines/exchange/models/import-checkpoint.ts';
import type { PromptNetwork } from '../../../pipelines/generators/promptehr/network/network.ts';
import { openNetwork } from '../../../pipelines/generators/promptehr/network/network.ts';
import {
  type PromptModel,
  readPromptModel,
} from '../../../pipelines/generators/promptehr/records/prompt-model.ts';
import { decodeSaved } from '../../../pipelines/kernel/safetensors.ts';
import { openOps } from '../../../pipelines/nn/ops/open-ops.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';

/** A safetensors file of the tiny golden PromptEHR: `weights` or `io`. */
export const tinyFile = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/golden/promptehr_tiny_${name}.safetensors`, import.meta.url));

/** What an import has made, opened. */
export const openImported = async (
  imported: Awaited<ReturnType<typeof importCheckpoint>>,
): Promise<{ model: PromptModel; network: PromptNetwork; vocabulary: Vocabulary }> => {
  const saved = decodeSaved(imported.files['weights.safetensors'] as Uint8Array);
  const vocabulary = JSON.parse(imported.files['vocabulary.json'] as string);
  const model = readPromptModel(saved.json, vocabulary);
  const network = await openNetwork(await openOps(), model.architecture, saved.arrays);
  return { model, network, vocabulary };
};
