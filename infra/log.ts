import { DefaultLogger, type LogEntry, Runtime } from '@temporalio/worker';
import { destination, type Logger, pino } from 'pino';

/** JSON lines on stderr. Synchronous, so that the last line before a kill is not lost. */
export const createLog = (level: string, bindings: Record<string, unknown> = {}): Logger =>
  pino({ level, base: bindings }, destination({ fd: 2, sync: true }));

/** Fields that the SDK repeats in every line. */
const noise = new Set(['taskToken', 'isLocal', 'namespace', 'sdkComponent']);

const toldValue = (value: unknown): unknown =>
  value instanceof Error ? { name: value.name, message: value.message } : value;

const toPino = (log: Logger) => {
  const write = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
  return ({ level, message, meta }: LogEntry): void => {
    const kept = Object.entries(meta ?? {})
      .filter(([name]) => !noise.has(name))
      .map(([name, value]) => [name, toldValue(value)]);
    log[write[level]](Object.fromEntries(kept), message);
  };
};

let installed = false;

/** Sends the SDK's log lines, native ones too, through `log`. Only the first call in a process counts. */
export const installRuntime = (log: Logger): void => {
  if (installed) return;
  installed = true;
  const sdkLevel = log.isLevelEnabled('debug') ? 'DEBUG' : 'INFO';
  Runtime.install({
    logger: new DefaultLogger(sdkLevel, toPino(log)),
    telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
  });
};
