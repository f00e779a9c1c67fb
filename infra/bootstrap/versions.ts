import { readFileSync } from 'node:fs';
import { z } from 'zod';

const pinnedFile = z.object({ file: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/) });
/** A file whose bytes are known before it is fetched. */
export type PinnedFile = z.output<typeof pinnedFile>;

const schema = z.object({
  node: z.object({ minimum: z.string() }),
  tensorflow: z.object({
    version: z.string(),
    napi: z.int(),
    /** By variant and platform, such as `cpu-linux-x64`. */
    wheels: z.record(z.string(), pinnedFile.extend({ project: z.string() })),
  }),
  temporal: z.object({
    cli: z.string(),
    minimumServer: z.string(),
    archives: z.record(z.string(), pinnedFile),
  }),
});

/** Every version and checksum that provisioning goes by, from versions.json; nowhere else are they written. */
export const versions = schema.parse(
  JSON.parse(readFileSync(new URL('./versions.json', import.meta.url), 'utf8')),
);

/** `linux-x64` and the like: the key of every table by platform. */
export const platform = `${process.platform}-${process.arch}`;

/** True when dotted version `found` is at least `wanted`; suffixes such as `-rc1` are not looked at. */
export const atLeast = (found: string, wanted: string): boolean => {
  const numbers = (text: string) => text.split(/[.-]/).map((part) => Number.parseInt(part, 10) || 0);
  const [have, need] = [numbers(found), numbers(wanted)];
  for (const [i, least] of need.entries()) {
    const ours = have[i] ?? 0;
    if (ours !== least) return ours > least;
  }
  return true;
};
