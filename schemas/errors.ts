/**
 * Every way a stage can fail, once. Retry policy, CLI exit status and docs/errors.md derive from this table.
 */
export const failures = {
  InvalidUsage: { retryable: false, exit: 64, hint: 'see `understudy --help`' },
  InvalidConfig: {
    retryable: false,
    exit: 64,
    hint: 'correct the key that the message names in the run config',
  },
  SourceMissing: {
    retryable: false,
    exit: 66,
    hint: 'set `source` to a folder that holds the tables named in the message',
  },
  SourceMalformed: {
    retryable: false,
    exit: 65,
    hint: 'correct or re-export the table that the message names',
  },
  ArtifactMissing: {
    retryable: false,
    exit: 66,
    hint: 'an input was deleted; run again, which makes it anew',
  },
  ArtifactCorrupt: {
    retryable: false,
    exit: 65,
    hint: 'bytes differ from the manifest; delete the artifact and run again',
  },
  TooFewPatients: {
    retryable: false,
    exit: 65,
    hint: 'a split is empty; give more patients or other fractions',
  },
  Diverged: { retryable: false, exit: 70, hint: 'the loss is not finite; lower the learning rate' },
  BackendUnavailable: { retryable: false, exit: 69, hint: 'run `understudy doctor` for the fix' },
  NotReady: { retryable: false, exit: 69, hint: 'apply the fixes of the failed checks above' },
  TemporalUnavailable: { retryable: true, exit: 69, hint: 'start a server: `understudy dev`' },
  StoreUnavailable: {
    retryable: true,
    exit: 69,
    hint: 'the artifact store did not answer; check disk space and access rights',
  },
  OutOfMemory: { retryable: true, exit: 71, hint: 'use a worker with more memory' },
  DeviceLost: { retryable: true, exit: 71, hint: 'the device failed; the worker ends: start it again' },
  Stalled: {
    retryable: true,
    exit: 71,
    hint: 'a step did not end; the worker ends: start it again, the next attempt continues from the checkpoint',
  },
  ProcessLost: {
    retryable: true,
    exit: 71,
    hint: 'the process of a stage was killed; where memory ran out, use fewer `--workers`',
  },
  Superseded: { retryable: false, exit: 75, hint: 'a later attempt of the same work took over' },
  WorkerFailed: { retryable: false, exit: 70, hint: 'read the log that the message names' },
  RunMissing: { retryable: false, exit: 66, hint: 'find the id in the Temporal UI under Workflows' },
  RunFailed: {
    retryable: false,
    exit: 70,
    hint: 'see the failed nodes above; correct their causes and run again',
  },
} as const;
export type FailureCode = keyof typeof failures;

/** A failure of a known kind. The message states what was expected, what was found, and where. */
export class StageError extends Error {
  readonly code: FailureCode;
  constructor(code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = code;
    this.code = code;
  }
}

/** After these a process is no longer good for work: its device is gone, or something in it hangs. */
export const unfitCodes: readonly FailureCode[] = ['DeviceLost', 'Stalled'];

/** Codes that no retry can help; the plan carries them into the retry policy. */
export const nonRetryableCodes: FailureCode[] = (Object.keys(failures) as FailureCode[]).filter(
  (code) => !failures[code].retryable,
);
