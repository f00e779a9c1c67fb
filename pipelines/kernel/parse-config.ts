import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import { didYouMean } from './names.ts';

const words: Record<string, string> = {
  string: 'text',
  int: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
};

/** What was written, short enough for a message. */
export const shown = (value: unknown): string => {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
};

/** Where in a config: `generators[0].config`. */
export const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text ? `${text}.${String(key)}` : String(key);
  }, '');

/** The value at a path, or undefined where the path leads nowhere. */
export const valueAt = (root: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, key) => {
    if (typeof value !== 'object' || value === null) return undefined;
    return Reflect.get(value, key);
  }, root);

const expectedTypes = (issue: z.core.$ZodIssue): string[] => {
  if (issue.code === 'invalid_type') return [words[issue.expected] ?? issue.expected];
  if (issue.code === 'invalid_union') return issue.errors.flat().flatMap(expectedTypes);
  return [];
};

const sizeText = (issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string => {
  const [limit, sign] =
    issue.code === 'too_small'
      ? [issue.minimum, issue.inclusive === false ? '>' : '≥']
      : [issue.maximum, issue.inclusive === false ? '<' : '≤'];
  const unit: Record<string, string> = { array: 'items', string: 'characters' };
  const what = words[issue.origin] ?? issue.origin;
  return issue.origin in unit
    ? `${what} of ${sign} ${String(limit)} ${unit[issue.origin]}`
    : `${what} ${sign} ${String(limit)}`;
};

/** One zod issue as "expected …, found …"; `value` is what was found, `keys` are those that exist there. */
export const issueText = (issue: z.core.$ZodIssue, value: unknown, keys: string[] = []): string => {
  const found = `, found ${shown(value)}`;
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${expectedTypes(issue).join(' or ')}${found}`;
    case 'invalid_union': {
      const types = [...new Set(expectedTypes(issue))];
      return types.length > 0 ? `expected ${types.join(' or ')}${found}` : `${issue.message}${found}`;
    }
    case 'invalid_value': {
      const choices = issue.values.map(String);
      const one = choices.length === 1 ? `expected ${choices[0]}` : `expected one of ${choices.join(', ')}`;
      return `${one}${found}${typeof value === 'string' ? didYouMean(value, choices) : ''}`;
    }
    case 'too_small':
    case 'too_big':
      return `expected ${sizeText(issue)}${found}`;
    case 'unrecognized_keys': {
      // A schema's own message names what a key has become; zod's says nothing more than ours.
      if (!issue.message.startsWith('Unrecognized key')) return issue.message;
      const unknown = issue.keys.map((key) => `no key ${key} here${didYouMean(key, keys)}`).join('; ');
      return keys.length > 0 ? `${unknown} (keys: ${keys.join(', ')})` : unknown;
    }
    default:
      return issue.message;
  }
};

type Node = z.core.JSONSchema.JSONSchema;

/** A part of a JSON Schema; `true` and `false`, which say nothing of its shape, are an empty one. */
export const asNode = (node: Node | boolean | undefined): Node => (typeof node === 'object' ? node : {});

/** A zod schema as JSON Schema of its input; parts that JSON Schema cannot describe become "any value". */
export const inputSchema = (schema: z.ZodType): Node =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });

const objectIn = (node: Node): Node | undefined =>
  node.properties ? node : (node.anyOf ?? []).map(asNode).find((choice) => choice.properties);

const childOf = (node: Node, key: PropertyKey): Node => {
  if (typeof key === 'number') return asNode(Array.isArray(node.items) ? node.items[0] : node.items);
  return asNode(objectIn(node)?.properties?.[String(key)]);
};

/** The keys that an object schema takes at `path`; empty where anything goes. */
export const keysAt = (schema: z.ZodType, path: readonly PropertyKey[]): string[] =>
  Object.keys(objectIn(path.reduce<Node>(childOf, inputSchema(schema)))?.properties ?? {});

/**
 * A value as its schema fills it, every default decided. Throws InvalidConfig with one line per problem: its
 * place (`where` and the path below it, `generators[0].config.epochs`), what was expected and what was found.
 */
export const parseConfig = <S extends z.ZodType>(schema: S, given: unknown, where: string): z.output<S> => {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const path = pathText(issue.path);
    const isApart = path !== '' && !path.startsWith('[');
    return `${where}${isApart ? '.' : ''}${path}: ${issueText(issue, valueAt(given, issue.path), keysAt(schema, issue.path))}`;
  });
  throw new StageError('InvalidConfig', problems.join('\n'));
};

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Keys of `given`, at any depth, that parsing has dropped: paths from the root. */
const droppedKeys = (given: unknown, parsed: unknown): string[][] => {
  if (!isMapping(given) || !isMapping(parsed)) return [];
  return Object.entries(given).flatMap(([key, value]) =>
    key in parsed ? droppedKeys(value, parsed[key]).map((path) => [key, ...path]) : [[key]],
  );
};

/**
 * As `parseConfig`, for a schema whose objects drop unknown keys: these are errors, too, with the nearest key
 * that exists. A misspelled setting would otherwise leave the default in force.
 */
export const parseWholeConfig = <S extends z.ZodType>(
  schema: S,
  given: unknown,
  where: string,
): z.output<S> => {
  const parsed = parseConfig(schema, given, where);
  const [path] = droppedKeys(given, parsed);
  if (path === undefined) return parsed;
  const at = path.slice(0, -1);
  const issue = {
    code: 'unrecognized_keys',
    keys: path.slice(-1),
    path: at,
    message: 'Unrecognized key',
  } as const;
  throw new StageError(
    'InvalidConfig',
    `${[where, ...at].join('.')}: ${issueText({ ...issue, input: undefined }, undefined, keysAt(schema, at))}`,
  );
};
