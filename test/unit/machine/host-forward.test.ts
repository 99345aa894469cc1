import { describe, expect, it } from 'vitest';
import { parseForwardedSshPort } from '../../../src/machine/host-forward.ts';

const header = '  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ';

describe('parseForwardedSshPort', () => {
  it.each([
    [
      'the answer of QEMU 7.2',
      `Hub -1 (net0):\r\n${header}\r\n  TCP[HOST_FORWARD]   3       127.0.0.1 39359       10.0.2.15    22     0     0\r\n`,
      39359,
    ],
    [
      'among connections',
      `${header}\r\n  TCP[ESTABLISHED]   9       127.0.0.1 39359       10.0.2.15    22     0     0\r\n  UDP[236 sec]  8  10.0.2.15 68  10.0.2.2 67 0 0\r\n  TCP[HOST_FORWARD]  3  127.0.0.1 40001  10.0.2.15  22  0  0\r\n`,
      40001,
    ],
    ['another port of the guest', '  TCP[HOST_FORWARD]  3  127.0.0.1 40001  10.0.2.15  80  0  0\r\n', undefined],
    ['nothing', '', undefined],
  ])('%s', (_title, answer, port) => {
    expect(parseForwardedSshPort(answer)).toBe(port);
  });
});
