import { type FailureCode, failures, StageError } from '../../schemas/errors.ts';

/** A failure as the command line prints it. */
export interface FailureReport {
  code: string;
  message: string;
  hint: string;
  /** sysexits(3) where one fits; 130 after Ctrl-C. */
  exit: number;
}

/** A run or check that failed but has something to show: `--json` prints `result` beside the error. */
export class FailedOutcome extends StageError {
  readonly result: Record<string, unknown>;
  constructor(code: FailureCode, message: string, result: Record<string, unknown>) {
    super(code, message);
    this.result = result;
  }
}

/** Ctrl-C ended the wait for a run; its state so far is `result`. */
export class Interruption extends Error {
  readonly result: Record<string, unknown>;
  readonly hint: string;
  constructor(result: Record<string, unknown>, hint = 'what runs on the server goes on') {
    super('interrupted');
    this.result = result;
    this.hint = hint;
  }
}

/** True for the codes of the failure table. */
export const isFailureCode = (code: unknown): code is FailureCode =>
  typeof code === 'string' && Object.hasOwn(failures, code);

/** Any thrown value by the failure table; an error that is not in the table is reported as a bug, exit 70. */
export const failureReport = (error: unknown): FailureReport => {
  if (error instanceof StageError)
    return { code: error.code, message: error.message, ...pick(failures[error.code]) };
  return {
    code: 'Unexpected',
    message: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    hint: 'this is a bug of Understudy; please report it with the text above',
    exit: 70,
  };
};

const pick = ({ hint, exit }: { hint: string; exit: number }) => ({ hint, exit });
