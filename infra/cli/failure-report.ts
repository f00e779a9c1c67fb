import { type FailureCode, failures, StageError } from '../../schemas/errors.ts';

/** A failure as the command line tells it. */
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

/** The wait for something was broken off by Ctrl-C; what is known of it is `result`. */
export class Interruption extends Error {
  readonly result: Record<string, unknown>;
  constructor(result: Record<string, unknown>) {
    super('interrupted');
    this.result = result;
  }
}

/** True for the codes of the failure table. */
export const isFailureCode = (code: unknown): code is FailureCode =>
  typeof code === 'string' && Object.hasOwn(failures, code);

/** Any thrown value by the failure table; what the table does not know is told as a bug, exit 70. */
export const failureReport = (error: unknown): FailureReport => {
  if (error instanceof StageError)
    return { code: error.code, message: error.message, ...pick(failures[error.code]) };
  return {
    code: 'Unexpected',
    message: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    hint: 'this is a bug of Understudy; please report it with what is above',
    exit: 70,
  };
};

const pick = ({ hint, exit }: { hint: string; exit: number }) => ({ hint, exit });
