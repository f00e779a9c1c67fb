/** Takes one line for people. Never called with credentials or patient data. */
export type Say = (line: string) => void;

const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** Does one step of set-up: prints that it began, every 15 s that it still runs, and how long it took. */
export const step = async <T>(title: string, say: Say, work: () => Promise<T>): Promise<T> => {
  const start = performance.now();
  say(`${title} …`);
  const pulse = setInterval(() => say(`${title}: still at it after ${seconds(start)}`), 15_000);
  try {
    const result = await work();
    say(`${title}: done in ${seconds(start)}`);
    return result;
  } finally {
    clearInterval(pulse);
  }
};

/** Bytes as people read them: `261 MB`. */
export const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
