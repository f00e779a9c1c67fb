import { loadFolder } from '../../kernel/load-folder.ts';
import { named } from '../../kernel/names.ts';
import type { ExportLayout } from './layout.ts';

const folder = new URL('./layouts/', import.meta.url);

/** Every layout of a data set: a file in `layouts/` is all it takes to add one. */
export const exportLayouts = await loadFolder<ExportLayout>(folder);

/** The layout of a name. Throws InvalidUsage with those that exist. */
export const exportLayoutNamed = (name: string): ExportLayout => named('layout', exportLayouts, name);
