import type { ArtifactRef } from './artifact.ts';
import { StageError } from './errors.ts';

/** Fewer digits of a digest are hard to read as one, and soon begin several. */
const leastDigits = 6;
const allDigits = 64;

/**
 * The digest of a model of the store, or the beginning of one, where a person wrote `model:DIGEST` (or all 64
 * digits alone) and not a folder. Undefined for a folder. Throws InvalidConfig on `model:` with something
 * else behind it.
 */
export const modelDigest = (text: string): string | undefined => {
  const [, prefix, digits = ''] = /^(model:)?([0-9a-f]+)$/.exec(text) ?? [];
  if (digits.length === allDigits || (prefix && digits.length >= leastDigits && digits.length < allDigits))
    return digits;
  if (!text.startsWith('model:')) return undefined;
  throw new StageError(
    'InvalidConfig',
    `${text}: expected model: and a digest, ${allDigits} hexadecimal digits or at least the first ${leastDigits} of ` +
      `them; a folder of that name is written ./${text}`,
  );
};

/**
 * The same for a plan, which must name the artifact itself: throws InvalidConfig on the beginning of a digest
 * as well. The command line completes what a person wrote before it sends a config to workers.
 */
export const storedModel = (text: string): ArtifactRef<'model'> | undefined => {
  const digest = modelDigest(text);
  if (digest === undefined) return undefined;
  if (digest.length === allDigits) return { kind: 'model', digest };
  throw new StageError(
    'InvalidConfig',
    `${text}: expected all ${allDigits} digits of the digest, found ${digest.length}; \`understudy run\` completes them`,
  );
};
