import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { StageError } from '../../../schemas/errors.ts';
import type { Checkpoint, CheckpointImport, Generator } from '../../generation/generator.ts';
import { encodeModel, type ModelFiles } from '../../generation/model-file.ts';
import { noSuchName } from '../../kernel/names.ts';
import { decodeSafetensors } from '../../kernel/safetensors.ts';
import { malformed } from '../read/outside-cohort.ts';
import { readJsonFile } from './vocabulary-file.ts';

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

const importOf = ({ name, importCheckpoint: own }: Generator): CheckpointImport => {
  if (own) return own;
  throw new StageError('InvalidUsage', `${name} has no code of a paper whose weights it could take over`);
};

/**
 * Options of a generator's import, as its schema fills them; those that are files are read first. Throws
 * SourceMissing, SourceMalformed for a file, InvalidUsage for an option that this generator does not have.
 */
export const readImportOptions = async (
  generator: Generator,
  given: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> => {
  const { options, files = [] } = importOf(generator);
  const read: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!(key in options.shape))
      throw new StageError(
        'InvalidUsage',
        noSuchName('option of its import', key, Object.keys(options.shape)),
      );
    const isFile = files.includes(key) && typeof value === 'string';
    read[key] = isFile ? await readJsonFile(value, key) : value;
  }
  const parsed = options.safeParse(read);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path: [key], message }) => {
    const file = files.find((name) => name === key);
    return file === undefined
      ? `${String(key)}: ${message}`
      : `${basename(String(given[file]))} is no ${file} we can read: ${message}`;
  });
  throw malformed(problems.join('; '));
};

/** A checkpoint's vocabulary, the options of `readImportOptions`, and the seed of what the weights lack. */
export interface ImportRequest extends Omit<Checkpoint<unknown>, 'tensors'> {
  options?: Record<string, unknown>;
}

/**
 * Makes a model of ours out of weights that the code of a paper has trained, in its names, in a safetensors file.
 * Its learning curve is empty. Throws SourceMissing, SourceMalformed, ArtifactCorrupt, and InvalidUsage for a
 * generator that has no such code.
 */
export const importCheckpoint = async (
  generator: Generator,
  path: string,
  { options = {}, ...given }: ImportRequest,
): Promise<Imported> => {
  const { adopt } = importOf(generator);
  const { tensors, importedSha256 } = await readCheckpoint(path);
  const { saved, vocabulary, settings, parameters, notes } = adopt({ ...given, tensors }, options);
  const card = {
    generator: generator.name,
    version: generator.version,
    config: {},
    settings: { ...settings, importedFrom: basename(path), importedSha256 },
    seed: given.seed,
    parameters,
  };
  return {
    files: await encodeModel({ card, vocabulary, curve: [], saved }),
    codes: vocabulary.codes.length,
    labels: vocabulary.labels.length,
    parameters,
    settings,
    notes,
  };
};
