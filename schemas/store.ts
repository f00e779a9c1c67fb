import type { ArtifactKind, ArtifactRef, Lineage, Manifest } from './artifact.ts';

/** A committed artifact, open for reading. Files are checked against the manifest on first touch. */
export interface OpenArtifact {
  ref: ArtifactRef;
  manifest: Manifest;
  /** A local path holding the file (fetched first where the store is remote). Throws ArtifactCorrupt. */
  path(file: string): Promise<string>;
  bytes(file: string): Promise<Uint8Array>;
  json(file: string): Promise<unknown>;
}

/** An artifact in the making: a private folder that no reader sees until it is committed. */
export interface Draft {
  /** Local path to write `file` at. */
  path(file: string): string;
  write(file: string, content: string | Uint8Array): Promise<void>;
  /** Digests every file, writes the manifest last, and moves the folder into place atomically. */
  commit(header: Pick<Manifest, 'lineage' | 'summary' | 'recorded'>): Promise<ArtifactRef>;
  discard(): Promise<void>;
}

/** What the cache remembers of one finished piece of work. */
export interface CacheEntry {
  key: string;
  ref: ArtifactRef;
  lineage: Lineage;
  at: string;
  run?: string;
  /** Id of the plan node that made it; a miss is explained against the newest entry of the same node. */
  node?: string;
}

export interface CheckpointRecord {
  step: number;
  attempt: number;
  /** Whose attempts those are (one activity of one run); attempts of different owners do not compare. */
  owner: string;
  bytes: Uint8Array;
}

/** How a long write reports that it goes on, and learns that it is no longer wanted. */
export interface WriteWatch {
  /** Called after every portion that has reached the store. */
  progressed(): void;
  /** Once aborted, what is being written must not take its place any more. */
  signal: AbortSignal;
}

/** Where artifacts, cache entries and checkpoints live. Implemented in infra/store, handed to activities. */
export interface Store {
  open<K extends ArtifactKind>(ref: ArtifactRef<K>): Promise<OpenArtifact>;
  /** Every artifact of a kind whose digest begins so, in the order of the digests. */
  find<K extends ArtifactKind>(kind: K, prefix: string): Promise<ArtifactRef<K>[]>;
  draft(kind: ArtifactKind): Promise<Draft>;
  /** The remembered artifact under a cache key, only if its manifest still stands. */
  cached(key: string): Promise<CacheEntry | undefined>;
  /** The newest entries of a stage, to explain a miss by what changed. */
  history(stage: string, limit: number): Promise<CacheEntry[]>;
  remember(entry: CacheEntry): Promise<void>;
  readCheckpoint(key: string): Promise<CheckpointRecord | undefined>;
  /**
   * Two slots, the older is overwritten, atomically. The bytes are read until it resolves and no longer.
   * Throws Superseded if the owner's later attempt wrote, and the reason of the watch's signal once that is
   * aborted.
   */
  writeCheckpoint(key: string, checkpoint: CheckpointRecord, watch?: WriteWatch): Promise<void>;
  dropCheckpoint(key: string): Promise<void>;
}
