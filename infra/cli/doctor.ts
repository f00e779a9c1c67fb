import { z } from 'zod';
import type { Check } from '../doctor/check.ts';
import { readEnvironment } from '../env.ts';
import { defineCommand } from './command.ts';
import { FailedOutcome } from './failure-report.ts';
import { columns } from './table.ts';

const rowsOf = ({ name, state, found, fix }: Check): string[][] => [
  [state, name, found],
  ...(fix ? [['', '', `→ ${fix}`]] : []),
];

export const doctorCommand = defineCommand({
  name: 'doctor',
  summary: 'check this machine for all that a run needs, with the fix for each failure',
  positionals: z.object({}),
  options: z.object({}),
  async run(_input, io) {
    const { examine } = await import('../doctor/doctor.ts');
    const checks = await examine(readEnvironment());
    io.out(columns(checks.flatMap(rowsOf)));
    const failed = checks.filter(({ state }) => state === 'fail');
    if (failed.length > 0) {
      const names = failed.map(({ name }) => name).join(', ');
      throw new FailedOutcome('NotReady', `${failed.length} of ${checks.length} checks failed: ${names}`, {
        checks,
      });
    }
    return { checks };
  },
});
