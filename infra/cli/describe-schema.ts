import type { z } from 'zod';
import { asNode, inputSchema } from '../../pipelines/kernel/parse-config.ts';

type Node = z.core.JSONSchema.JSONSchema;

/** One setting of a schema, described for people. */
export interface Field {
  /** Dotted, as it is written in a config: `cohort.split.holdout`. */
  path: string;
  type: string;
  /** As JSON; absent when there is none. */
  default?: string;
  required: boolean;
  about?: string;
}

const bounds = (node: Node): string => {
  const above = typeof node.exclusiveMinimum === 'number' ? node.exclusiveMinimum : undefined;
  const low = node.minimum ?? (node.type === 'integer' && above !== undefined ? above + 1 : undefined);
  const high = node.maximum === Number.MAX_SAFE_INTEGER ? undefined : node.maximum;
  const least = low !== undefined && low > Number.MIN_SAFE_INTEGER ? low : undefined;
  if (least !== undefined && high !== undefined) return ` ${least}…${high}`;
  if (least !== undefined) return ` ≥ ${least}`;
  if (above !== undefined) return ` > ${above}${high === undefined ? '' : `, ≤ ${high}`}`;
  return high === undefined ? '' : ` ≤ ${high}`;
};

/** What may be written there, in a few words: `integer ≥ 1`, `list of (dx | px)`. */
const typeText = (node: Node): string => {
  if (node.const !== undefined) return String(node.const);
  if (node.enum) return node.enum.map(String).join(' | ');
  const choices = node.anyOf ?? node.oneOf;
  if (choices) return choices.map((choice) => typeText(asNode(choice))).join(' or ');
  if (node.type === 'array') {
    const items = typeText(asNode(Array.isArray(node.items) ? node.items[0] : node.items));
    return `list of ${/ (or|\|) /.test(items) ? `(${items})` : items}`;
  }
  if (node.type === 'object')
    return node.properties ? `{${Object.keys(node.properties).join(', ')}}` : 'mapping';
  if (node.type === 'string') return 'text';
  if (node.type === 'integer' || node.type === 'number') return `${node.type}${bounds(node)}`;
  return typeof node.type === 'string' ? node.type : 'any value';
};

const walk = (node: Node, prefix: string): Field[] =>
  Object.entries(node.properties ?? {}).flatMap(([key, value]) => {
    const child = asNode(value);
    const path = prefix ? `${prefix}.${key}` : key;
    const text =
      child.description ?? asNode(Array.isArray(child.items) ? undefined : child.items).description;
    const about = text === undefined ? {} : { about: text };
    const inner = child.properties ? walk(child, path) : [];
    // A group whose parts are all listed below needs no row of its own, unless it has a description.
    if (inner.length > 0 && !child.description) return inner;
    const given = inner.length > 0 ? undefined : child.default;
    const field: Field = {
      path,
      type: inner.length > 0 ? 'group' : typeText(child),
      required: node.required?.includes(key) ?? false,
      ...(given === undefined ? {} : { default: JSON.stringify(given) }),
      ...about,
    };
    return [field, ...inner];
  });

/** Every setting of an object schema, nested ones by their dotted path, in the order they are declared. */
export const fieldsOf = (schema: z.ZodType): Field[] => walk(inputSchema(schema), '');
