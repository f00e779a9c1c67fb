import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Document, isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { issueText, keysAt, pathText, valueAt } from '../../pipelines/kernel/parse-config.ts';
import { StageError } from '../../schemas/errors.ts';
import { type RunConfig, runConfig } from '../../schemas/run-config.ts';
import { modelForWorkers } from './model-place.ts';

/** The file that is read when no `--config` is given. */
export const defaultConfigFile = 'understudy.yaml';

const read = async (file: string): Promise<string> => {
  if (file === '-') return text(process.stdin);
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const reason = { ENOENT: 'there is no such file', EISDIR: 'it is a folder' }[code] ?? code;
    const advice = 'name one with --config FILE, or write one with `understudy init SOURCE`';
    throw new StageError(
      'InvalidUsage',
      `cannot read the run config ${resolve(file)}: ${reason}; ${advice}`,
      {
        cause,
      },
    );
  }
};

/** Line of the deepest part of `path` that is there; of the key itself where `key` names one. */
const lineOf = (document: Document, lines: LineCounter, path: readonly PropertyKey[], key?: string) => {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    const pair = isMap(node) ? node.items.find(({ key: k }) => isScalar(k) && k.value === key) : undefined;
    const range = isScalar(pair?.key) ? pair.key.range : Reflect.get(Object(node), 'range');
    if (Array.isArray(range)) return lines.linePos(Number(range[0])).line;
  }
  return 1;
};

/** `~` and `~/x` as the home folder, which a shell expands and YAML does not. */
const fromHome = (path: string): string => (/^~(?=\/|$)/.test(path) ? join(homedir(), path.slice(1)) : path);

const complain = (name: string, problems: string[]): never => {
  throw new StageError('InvalidConfig', `${name} is not a valid run config:\n  ${problems.join('\n  ')}`);
};

const parse = (name: string, source: string): { document: Document; lines: LineCounter } => {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines });
  const faults = [...document.errors, ...document.warnings].map(({ message, pos }) => {
    const { line, col } = lines.linePos(pos[0]);
    return `line ${line}, column ${col}: ${message.split(/ at line \d|:?\n/)[0]}`;
  });
  if (faults.length > 0) complain(name, faults);
  return { document, lines };
};

/**
 * Reads and checks a run config; `-` is stdin. Throws InvalidConfig that names key, line, wanted and found,
 * and InvalidUsage where there is nothing to read. Models of the store are looked for in `store`, by default
 * that of the environment; throws ArtifactMissing where there is none.
 */
export const loadConfig = async (file: string, store?: string): Promise<RunConfig> => {
  const name = file === '-' ? 'stdin' : file;
  const { document, lines } = parse(name, await read(file));
  const raw: unknown = document.toJS();
  if (raw === null || raw === undefined) complain(name, ['it is empty; `source` at least must be given']);
  const parsed = runConfig.safeParse(raw);
  if (parsed.success) {
    const folder = file === '-' ? process.cwd() : dirname(resolve(file));
    const generators = await Promise.all(
      parsed.data.generators.map(async ({ from, ...generator }) => ({
        ...generator,
        ...(from !== undefined && { from: await modelForWorkers(fromHome(from), folder, store) }),
      })),
    );
    return { ...parsed.data, source: resolve(folder, fromHome(parsed.data.source)), generators };
  }
  const problem = (issue: z.core.$ZodIssue) => {
    const key = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
    const line = lineOf(document, lines, issue.path, key);
    const where = pathText(issue.path) || 'at the top';
    return `${where} (line ${line}): ${issueText(issue, valueAt(raw, issue.path), keysAt(runConfig, issue.path))}`;
  };
  return complain(name, parsed.error.issues.map(problem));
};
