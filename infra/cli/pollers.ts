import type { Client } from '@temporalio/client';

/** A worker that has room for work asks at least once a minute; the server lists it for five. */
const livelyMs = 70_000;

/** How many workers have lately asked for work of a queue. `kind`: 1 workflow tasks, 2 activities. */
const pollers = async (client: Client, queue: string, kind: 1 | 2): Promise<number> => {
  const { pollers: found } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: queue },
    taskQueueType: kind,
  });
  const since = Date.now() - livelyMs;
  return (found ?? []).filter(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000 > since)
    .length;
};

/** How many workers have lately asked for stages of a queue. */
export const pollersOf = (client: Client, queue: string): Promise<number> => pollers(client, queue, 2);

/** Those of `queues` that no worker asks for work: none is up, or all are at work. */
export const unserved = async (client: Client, queues: Iterable<string>): Promise<string[]> => {
  const missing: string[] = [];
  for (const queue of new Set(queues)) if ((await pollersOf(client, queue)) === 0) missing.push(queue);
  return missing;
};
