import { z } from 'zod';

/** Every kind of artifact, with what it holds. An edge of the DAG is typed by one of these. */
export const artifactKinds = {
  events: 'source tables as typed Parquet, with every rejected row listed',
  cohort: 'patients, visits, code sets, demographics, labels and split',
  'token-cohort': 'a cohort as tokens, with its vocabulary; real or synthetic',
  model: 'a fitted generator: weights, configuration and learning curve',
  scorecard: 'metric rows and the series behind their plots',
  measurement: 'the result of one metric; scorecards are made of these',
  report: 'one self-contained HTML page and the numbers on it as JSON',
  'data-set': 'a synthetic cohort in a layout that other code reads, with README and data dictionary',
} as const;
export type ArtifactKind = keyof typeof artifactKinds;

const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** A pointer to immutable bytes; the only thing that flows along an edge of the DAG. */
export const artifactRef = z.object({
  kind: z.enum(Object.keys(artifactKinds) as [ArtifactKind, ...ArtifactKind[]]),
  digest: digest.describe('sha256 over the manifest: file digests and lineage'),
});
export type ArtifactRef<K extends ArtifactKind = ArtifactKind> = { kind: K; digest: string };

/** What made an artifact. Everything here decides the bytes; nothing here depends on when or where it ran. */
export const lineage = z.object({
  stage: z.string(),
  version: z.int(),
  params: z.json(),
  inputs: z.record(z.string(), z.array(artifactRef)),
  fingerprint: z.string().optional().describe('digest of what the stage reads from outside the store'),
  code: z.string().describe('digest of the source files the stage runs'),
  engine: z.string().describe('what computed it: library versions, machine kind and device'),
});
export type Lineage = z.output<typeof lineage>;

/** `manifest.json` of an artifact. `recorded` is for people and stays outside the digest. */
export const manifest = z.object({
  kind: artifactRef.shape.kind,
  digest,
  files: z.array(z.object({ path: z.string(), bytes: z.int(), sha256: digest })),
  lineage,
  summary: z.record(z.string(), z.union([z.number(), z.string()])).describe('aggregates for people to read'),
  recorded: z.object({
    at: z.iso.datetime(),
    seconds: z.number().describe('wall clock of the attempt that finished'),
    parts: z
      .record(z.string(), z.number())
      .optional()
      .describe('seconds of its parts, where the stage has several; one from the cache takes none'),
    attempt: z.int(),
    resumedFrom: z.int().optional().describe('step of the checkpoint that attempt went on from'),
    run: z.string().optional(),
  }),
});
export type Manifest = z.output<typeof manifest>;
