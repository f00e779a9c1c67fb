import { readdir, readFile } from 'node:fs/promises';
import proto, { type temporal } from '@temporalio/proto';

type History = temporal.api.history.v1.IHistory;
const { History } = proto.temporal.api.history.v1;

const folder = new URL('../histories/', import.meta.url);

/** A history as plain JSON. (The SDK's own historyToJSON wants all its parts to share one protobufjs; npm gives three.) */
export const toPlain = (history: History): Record<string, unknown> =>
  History.toObject(History.fromObject(history), { enums: String, longs: String, bytes: String });

/** The inverse of `toPlain`. */
export const fromPlain = (plain: Record<string, unknown>): History => History.fromObject(plain);

/** Everything in a plain history as text, with payloads (base64 there) as what they hold. */
export const readable = (plain: unknown): string =>
  JSON.stringify(plain, (key, value) =>
    key === 'data' && typeof value === 'string' ? Buffer.from(value, 'base64').toString() : value,
  );

/** What each payload of a plain history holds. */
export const payloadsOf = (plain: unknown): string[] => {
  const found: string[] = [];
  JSON.stringify(plain, (key, value) => {
    if (key === 'data' && typeof value === 'string') found.push(Buffer.from(value, 'base64').toString());
    return value;
  });
  return found;
};

export interface RecordedHistory {
  name: string;
  plain: Record<string, unknown>;
  history: History;
}

/** Every recorded history, by file name. */
export const recordedHistories = async (): Promise<RecordedHistory[]> => {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  return Promise.all(
    files.map(async (file) => {
      const plain: Record<string, unknown> = JSON.parse(await readFile(new URL(file, folder), 'utf8'));
      return { name: file.replace('.json', ''), plain, history: fromPlain(plain) };
    }),
  );
};
