import test from 'ava';
import { parseFault, withFault } from '../../infra/faults.ts';
import { localHost } from '../helpers/local-host.ts';

test('a fault is read, and a wrong one refused', (t) => {
  t.deepEqual(parseFault('kill:train:12'), { stage: 'train', at: 12 });
  for (const wrong of ['kill:train', 'kill:nothing:1', 'kill:train:0', 'stop:train:1', ''])
    t.throws(() => parseFault(wrong), { name: 'InvalidConfig', message: /kill:<stage>:<n>.*extract/ });
});

test('a fault leaves other stages and later attempts alone', (t) => {
  const wrap = withFault({ stage: 'train', at: 1 });
  const host = localHost();
  t.is(wrap(host, 'extract'), host);
  const later = localHost({ attempt: 2 });
  t.is(wrap(later, 'train'), later);
  t.not(wrap(host, 'train'), host);
});
