import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { StageError } from '../../../schemas/errors.ts';
import type { Checkpoint, Generator } from '../../generation/generator.ts';
import type { modelCard } from '../../generation/model-file.ts';
import { decodeSafetensors, encodeSaved } from '../../kernel/safetensors.ts';
import { vocabularyDigest } from '../../patients/vocabulary-digest.ts';
import type { modelFileNames } from './model-files.ts';

export type ModelFiles = Record<(typeof modelFileNames)[number], string | Uint8Array>;

/** A checkpoint taken over: the files of its model folder, and what to tell. */
export interface Imported {
  files: ModelFiles;
  codes: number;
  labels: number;
  parameters: number;
  settings: Record<string, unknown>;
  notes: string[];
}

const readCheckpoint = async (
  path: string,
): Promise<{ tensors: Checkpoint['tensors']; importedSha256: string }> => {
  const bytes = await readFile(path).catch((cause) => {
    throw new StageError('SourceMissing', `the checkpoint ${basename(path)} cannot be read`, { cause });
  });
  const importedSha256 = createHash('sha256').update(bytes).digest('hex');
  return { tensors: decodeSafetensors(bytes).arrays, importedSha256 };
};

/**
 * Makes a model of ours out of weights that the code of a paper has trained, in its names, in a safetensors file.
 * Its learning curve is empty. Throws SourceMissing, SourceMalformed, ArtifactCorrupt, and InvalidUsage for a
 * generator that has no such code.
 */
export const importCheckpoint = async (
  generator: Generator,
  path: string,
  given: Omit<Checkpoint, 'tensors'>,
): Promise<Imported> => {
  if (!generator.adopt)
    throw new StageError(
      'InvalidUsage',
      `${generator.name} has no code of a paper whose weights it could take over`,
    );
  const { tensors, importedSha256 } = await readCheckpoint(path);
  const { saved, vocabulary, settings, parameters, notes } = generator.adopt({ ...given, tensors });
  const card: z.output<typeof modelCard> = {
    generator: generator.name,
    version: generator.version,
    config: {},
    settings: z
      .record(z.string(), z.json())
      .parse({ ...settings, importedFrom: basename(path), importedSha256 }),
    seed: given.seed,
    vocabulary: vocabularyDigest(vocabulary),
    tokens: vocabulary.codes.length,
    parameters,
  };
  return {
    files: {
      'model.json': `${JSON.stringify(card, null, 2)}\n`,
      'vocabulary.json': `${JSON.stringify(vocabulary)}\n`,
      'curve.json': '[]\n',
      'weights.safetensors': encodeSaved(saved),
    },
    codes: vocabulary.codes.length,
    labels: vocabulary.labels.length,
    parameters,
    settings,
    notes,
  };
};
