// A worker to be killed: extracts argv[2] into argv[3] and says so at its first beat on LABEVENTS.
import { startExtract } from './run-extract.ts';

const [, , source = '', draft = ''] = process.argv;
const body = startExtract(source, draft);
for (let next = await body.next(); !next.done; next = await body.next())
  if (next.value.phase === 'LABEVENTS') process.stdout.write('in LABEVENTS\n');
