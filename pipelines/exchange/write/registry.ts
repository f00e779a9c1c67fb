import { loadFolder } from '../../kernel/load-folder.ts';
import { named } from '../../kernel/names.ts';
import type { ExportLayout } from './layout.ts';

const folder = new URL('./layouts/', import.meta.url);

/** Where a layout's file is; its import closure goes into the cache key of what it makes. */
export const exportLayoutFile = (name: string): string => new URL(`${name}.ts`, folder).href;

/** Every layout of a data set: a file in `layouts/` is all it takes to add one. */
export const exportLayouts = await loadFolder<ExportLayout>(folder);

/**
 * The layout of a name. Throws InvalidUsage with those that exist; InvalidConfig where `where` is the key that
 * has the name.
 */
export const exportLayoutNamed = (name: string, where?: string): ExportLayout =>
  named('layout', exportLayouts, name, where === undefined ? {} : { code: 'InvalidConfig', where });
