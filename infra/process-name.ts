import { readFileSync, readlinkSync } from 'node:fs';
import { z } from 'zod';
import { errnoOf } from './store/store-failure.ts';

/** More than host name and number, which processes of two containers may have in common. */
export const processName = z.object({
  boot: z.string().describe('id of the start of the kernel: the machine, and since when it runs'),
  namespace: z.string().describe('which processes the number counts among: each container has its own'),
  pid: z.int(),
  started: z.string().describe('in ticks since the boot: numbers are used again'),
});
/** A process as Linux knows it. */
export type ProcessName = z.output<typeof processName>;

/** When a process began, in ticks since the boot. Undefined where it cannot be seen, or is not process `pid`. */
const startOf = (pid: number, folder = String(pid)): string | undefined => {
  try {
    const text = readFileSync(`/proc/${folder}/stat`, 'utf8');
    // The name in parentheses may hold anything; the start is the 20th field after it.
    return text.startsWith(`${pid} (`) ? text.slice(text.lastIndexOf(')') + 2).split(' ')[19] : undefined;
  } catch {
    return undefined;
  }
};

/** Undefined where there is no /proc, or one that counts processes otherwise. */
const nameSelf = (): ProcessName | undefined => {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const namespace = readlinkSync('/proc/self/ns/pid');
    const started = startOf(process.pid, 'self');
    return started === undefined ? undefined : { boot, namespace, pid: process.pid, started };
  } catch {
    return undefined;
  }
};
/** This process. Undefined where it cannot be named: others then go by time alone. */
export const thisProcess: ProcessName | undefined = nameSelf();

/** True where it is certain that a process of this machine and namespace has ended; elsewhere nothing is. */
export const hasEnded = ({ boot, namespace, pid, started }: ProcessName): boolean => {
  if (thisProcess?.boot !== boot || thisProcess.namespace !== namespace) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there and of another user.
    if (errnoOf(error) === 'ESRCH') return true;
  }
  const found = startOf(pid);
  return found !== undefined && found !== started;
};
