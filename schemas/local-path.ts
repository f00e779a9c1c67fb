import { z } from 'zod';

/** `s3` of `s3://bucket/key`; undefined where the text is no address but a path. */
const schemeOf = (text: string): string | undefined => /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1];

/**
 * A path of this machine. An address such as `s3://bucket/key` is refused: as a path it would be the folder
 * `s3:` in the working directory, and what was meant for a bucket would fill the local disk unseen.
 */
export const localPath = z
  .string()
  .min(1)
  .refine((text) => schemeOf(text) === undefined, {
    error: ({ input }) =>
      `expected a path of this machine, found the address ${JSON.stringify(input)}: ` +
      `${schemeOf(String(input))}:// is not supported; mount it and give the path, or copy it here`,
  });
