import { destination, type Logger, pino } from 'pino';

/** JSON lines on stderr. Synchronous, so that the last line before a kill is not lost. */
export const createLog = (level: string, bindings: Record<string, unknown> = {}): Logger =>
  pino({ level, base: bindings }, destination({ fd: 2, sync: true }));
