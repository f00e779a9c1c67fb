import { mkdir, writeFile } from 'node:fs/promises';
import { pages } from './docs/pages.ts';

const folder = new URL('../docs/', import.meta.url);
await mkdir(folder, { recursive: true });
for (const [file, text] of Object.entries(pages())) await writeFile(new URL(file, folder), text);
