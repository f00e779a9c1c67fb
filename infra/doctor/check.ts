import type { Environment } from '../env.ts';

/** One row of `understudy doctor`. A `warn` runs, but not as well as it could; `fix` is what a person can do. */
export interface Check {
  name: string;
  state: 'ok' | 'warn' | 'fail';
  found: string;
  fix?: string;
}

/** Looks at one thing; never throws for what it looks at. */
export type Checker = (environment: Environment) => Promise<Check[]>;
